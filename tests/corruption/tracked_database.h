// Databases whose history is known from the acknowledgements alone, to be damaged and repaired.

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
  // For a record of a batch, the numbers of the batch's first and last record.
  uint64_t first_of_batch = 0;
  uint64_t last_of_batch = 0;
};

// The content of a segment from its beginning to the first place where nothing verifies.
struct SegmentContents {
  // The records with numbers of their own, without batches whose end is missing.
  std::vector<TrackedRecord> records;
  // The sync marks; the numbers in their headers are those that they vouch for.
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
  // The writes that were acknowledged and that no later opening dropped, by ascending version.
  std::vector<TrackedWrite> history;
  // The values of writes that were dropped.
  std::set<std::string> dropped;
  // The highest version that was given out.
  uint64_t highest_version = 0;
  // Earlier contents of MANIFEST.
  std::vector<std::string> manifests;
  // All records with numbers of their own in the order of the log, without those of dead files.
  std::vector<TrackedRecord> records;
  std::vector<TrackedRecord> marks;
  // For each segment of the log, the offset at which its records end; and the segments with a
  // footer.
  std::map<std::string, uint64_t> ends;
  std::set<std::string> sealed;
  // The last file of the log.
  std::string last;

  State StateAt(uint64_t version) const;
  std::set<std::string> Keys() const;
  bool Had(const std::string& key, const std::string& value) const;
};

// Several openings, the last of which was closed. Some of the segments were sealed by a later
// opening.
TrackedDatabase ClosedHistory();
// The same, but killed at the end, with several segments that MANIFEST does not list.
TrackedDatabase KilledHistory();
// The same keys written in three openings that were killed, and some also in a last one that was
// closed or killed.
TrackedDatabase ReloadedHistory(bool closed);
// An opening dropped two segments behind a tear, but a power cut undid their removal.
TrackedDatabase DroppedHistory();

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CORRUPTION_TRACKED_DATABASE_H_
