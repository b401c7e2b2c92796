// Small databases to be damaged, and what is known about them.

#ifndef RUMCASK_TESTS_CORRUPTION_SAMPLE_DATABASE_H_
#define RUMCASK_TESTS_CORRUPTION_SAMPLE_DATABASE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/db.h"
#include "core/format/format.h"

namespace rumcask {

inline constexpr const char* kSamplePath = "/crash/db";

// The files of a directory by name.
using Files = std::map<std::string, std::string>;

struct SampleRecord {
  std::string file;
  uint64_t sequence = 0;  // of a mark, what it vouches for
  size_t group = 0;       // the same for all parts of a batch, another for every other record
  uint64_t offset = 0;
  uint64_t padding_at = 0;  // within the file; where the next record begins if it has none
  uint64_t end = 0;
  std::string key;  // empty for a mark
  bool is_newest = false;
  bool is_put = false;
};

struct SampleDatabase {
  // Without LOCK.
  Files files;
  // Everything acknowledged, as of now.
  std::map<std::string, std::string> state;
  // All values that each key ever had; of some keys, none.
  std::map<std::string, std::set<std::string>> values;
  // Earlier contents of the files, each different from the last.
  std::map<std::string, std::vector<std::string>> older;
  // Of all segments, in the order of the log.
  std::vector<SampleRecord> records;
  std::set<std::string> sealed;  // names of sealed segments
  // Of a segment by name: where its records end, and a footer begins if it is sealed.
  std::map<std::string, uint64_t> records_end;
  // Through this version everything survives a power cut.
  uint64_t durable_version = 0;

  // The record that has the byte, if one has.
  const SampleRecord* RecordAt(const std::string& file, uint64_t offset) const;
};

// Options for a sample, with a file system still to be named.
Options SampleOptions();

// Three sealed segments, two of which were given their footers by recovery, and a fourth that was
// cleanly closed: batches, overwrites, deletes and sync marks, within segments and over them.
SampleDatabase SealedSample();
// One segment, cleanly closed.
SampleDatabase ClosedSample();
// As the death of the process left it: segments that MANIFEST lists, sealed ones that it does not,
// and the last one, which is not sealed, with records that were synced and others that were not.
SampleDatabase KilledSample();

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CORRUPTION_SAMPLE_DATABASE_H_
