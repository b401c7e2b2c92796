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
  uint64_t sequence = 0;  // for a sync mark, the number it vouches for
  size_t group = 0;       // the same for all parts of a batch, different for every other record
  uint64_t offset = 0;
  uint64_t padding_at = 0;  // offset in the file; without padding, that of the next record
  uint64_t end = 0;
  std::string key;  // empty for a sync mark
  bool is_newest = false;
  bool is_put = false;
};

struct SampleDatabase {
  // Without LOCK.
  Files files;
  // All keys and values that were acknowledged, as of now.
  std::map<std::string, std::string> state;
  // All values that each key ever had; some keys never had one.
  std::map<std::string, std::set<std::string>> values;
  // Earlier contents of the files, each different from the one before.
  std::map<std::string, std::vector<std::string>> older;
  // The records of all segments, in the order of the log.
  std::vector<SampleRecord> records;
  std::set<std::string> sealed;  // names of sealed segments
  // For a segment by name, the offset at which its records end and, if it is sealed, its footer
  // begins.
  std::map<std::string, uint64_t> records_end;
  // Everything up to this version survives a power cut.
  uint64_t durable_version = 0;

  // The record that contains the byte, or null.
  const SampleRecord* RecordAt(const std::string& file, uint64_t offset) const;
};

// Options for a sample; the file system has still to be set.
Options SampleOptions();

// Three sealed segments, two of which got their footers from recovery, and a fourth that was
// cleanly closed. There are batches, overwrites, deletes and sync marks, within segments and across
// them.
SampleDatabase SealedSample();
// One segment that was cleanly closed.
SampleDatabase ClosedSample();
// A database as the death of its process left it. It has segments that MANIFEST lists, sealed ones
// that it does not list, and a last one that is not sealed and has synced and unsynced records.
SampleDatabase KilledSample();

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CORRUPTION_SAMPLE_DATABASE_H_
