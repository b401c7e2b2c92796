// Databases with a history that is known from the acknowledgements alone, to be damaged and
// repaired.

#ifndef RUMCASK_TESTS_CORRUPTION_TRACKED_DATABASE_H_
#define RUMCASK_TESTS_CORRUPTION_TRACKED_DATABASE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/format/format.h"
#include "tests/corruption/sample_database.h"

namespace rumcask {

struct TrackedWrite {
  uint64_t version = 0;
  std::string key;
  std::optional<std::string> value;  // nullopt for a delete
};

struct TrackedRecord {
  std::string file;
  uint64_t offset = 0;
  RecordHeader header;
  std::string key;

  uint64_t end() const { return offset + header.record_bytes(); }
  // Of a batch's records, the number of the first and of the last.
  uint64_t first_of_batch = 0;
  uint64_t last_of_batch = 0;
};

// What stands in the segment from its beginning, up to the first place where nothing verifies.
struct SegmentContents {
  // Those with numbers of their own. Of a batch whose end is not there, none.
  std::vector<TrackedRecord> records;
  // The numbers in their headers are what they vouch for.
  std::vector<TrackedRecord> marks;
  uint64_t end = 0;
};
SegmentContents ReadSegment(const std::string& name, const std::string& bytes);

// The newest value of each key.
using State = std::map<std::string, std::string>;

struct TrackedDatabase {
  // Without LOCK.
  Files files;
  bool closed = false;
  // What was acknowledged and not dropped by a later opening, by ascending version.
  std::vector<TrackedWrite> history;
  // Values that were dropped.
  std::set<std::string> dropped;
  // Of everything that was given out.
  uint64_t highest_version = 0;
  // Earlier contents of MANIFEST.
  std::vector<std::string> manifests;
  // All records with numbers of their own, in the order of the log; of dead files none.
  std::vector<TrackedRecord> records;
  std::vector<TrackedRecord> marks;
  // Where the records of each segment of the log end, and of those with a footer.
  std::map<std::string, uint64_t> ends;
  std::set<std::string> sealed;
  // The last file of the log.
  std::string last;

  State StateAt(uint64_t version) const;
  std::set<std::string> Keys() const;
  bool Had(const std::string& key, const std::string& value) const;
};

// Several openings, closed; some of the segments were sealed by a later opening.
TrackedDatabase ClosedHistory();
// The same, killed at the end, with several segments that MANIFEST does not list.
TrackedDatabase KilledHistory();
// The same keys written in three openings that were killed, and some in one that was closed or
// killed too.
TrackedDatabase ReloadedHistory(bool closed);
// An opening has dropped two segments behind a tear; then their removal was lost, as by a power
// cut.
TrackedDatabase DroppedHistory();

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CORRUPTION_TRACKED_DATABASE_H_
