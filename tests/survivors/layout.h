// Databases in which compaction has moved records, made without compaction.
//
// A history is a log of puts, deletes, batches, fences and sync marks in the user's segments. A
// layout is one of the many directories that compaction may leave of it: some sealed segments are
// gone and what was live in them stands in survivors; others are there still, though some of their
// records have been copied; and remains of a compaction that was interrupted lie around. Whatever
// the layout, the database has what the history says.

#ifndef RUMCASK_TESTS_SURVIVORS_LAYOUT_H_
#define RUMCASK_TESTS_SURVIVORS_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/format/format.h"
#include "core/format/manifest.h"
#include "core/testing/segment_bytes.h"

namespace rumcask {

using Content = std::map<std::string, std::string>;

struct HistoryRecord {
  RecordKind kind = RecordKind::kPut;
  uint64_t sequence = 0;
  std::string key;
  std::string value;
  BatchPart part = BatchPart::kNone;
};

struct HistorySegment {
  uint64_t id = 0;
  std::vector<HistoryRecord> records;
  SegmentBytes bytes;  // without a footer
  uint64_t last_sequence = 0;
};

struct History {
  Uuid uuid = {};
  std::vector<HistorySegment> segments;

  // What the database holds after the first `segments` segments.
  Content ContentAfter(size_t segments) const;
};

History MakeHistory(std::mt19937_64* random);

struct Layout {
  std::map<std::string, std::string> files;  // by name, MANIFEST included
  Manifest manifest;
  Content content;
  // How many of the user's segments are gone, how many survivors there are, and how many files are
  // only remains.
  int retired = 0;
  int survivors = 0;
  int remains = 0;
  // Of these, whether one does not tell that it is a survivor.
  bool has_headless = false;
};

// A layout of the first `segments` segments. Without `retires`, all of them are there, though
// records of them may have been copied.
Layout MakeLayout(const History& history, size_t segments, bool retires, std::mt19937_64* random);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_SURVIVORS_LAYOUT_H_
