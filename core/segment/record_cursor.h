// Walks the records of a segment file one by one.

#ifndef RUMCASK_CORE_SEGMENT_RECORD_CURSOR_H_
#define RUMCASK_CORE_SEGMENT_RECORD_CURSOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "core/format/format.h"
#include "core/format/key_table.h"
#include "core/segment/segment_file.h"
#include "core/segment/segment_scanner.h"
#include "core/system/file_system.h"

namespace rumcask {

enum class Found { kRecord, kDamage, kEnd };

// Reads the records themselves. Not thread-safe.
class RecordCursor {
 public:
  // Of [begin, end) of `file`, which must outlive the cursor.
  RecordCursor(SegmentFile* file, uint64_t begin, uint64_t end);

  // Goes on to the next record that verifies, or to the damage before it. FailedPrecondition at a
  // record that needs a newer version.
  absl::StatusOr<Found> Next();

  // Where it is; valid until Next.
  FoundRecord record() const {
    return {scanner_.header(), scanner_.key(), scanner_.offset(), scanner_.padding_is_zero()};
  }
  const FoundDamage& damage() const { return damage_; }

 private:
  SegmentFile* const file_;
  SegmentScanner scanner_;
  FoundDamage damage_ = {0, 0, false, ""};
  // The record behind the damage was found while looking for the damage's end.
  bool resynced_ = false;
};

// Reads the key table instead, in pieces, so that the tables of thousands of segments can be walked
// at once. Between two pieces the file is not open. Not thread-safe.
class KeyTableCursor {
 public:
  // `directory` must outlive the cursor.
  KeyTableCursor(Directory* directory, const Uuid& uuid, uint64_t id, const Trailer& trailer);
  KeyTableCursor(const KeyTableCursor&) = delete;
  KeyTableCursor& operator=(const KeyTableCursor&) = delete;

  // Reads all of the table. Whether it is whole: only then may the rest be called.
  // FailedPrecondition if it needs a newer version.
  absl::StatusOr<bool> Check();

  // Goes on to the next record. False at the end.
  absl::StatusOr<bool> Next();

  const RecordHeader& header() const { return reader_.header(); }
  // Valid until Next.
  std::string_view key() { return reader_.key(); }
  uint64_t offset() const { return reader_.offset(); }

 private:
  // Appends the next piece of the table to `*rest`, what is left of those before. False if there is
  // none, or after an error.
  bool ReadMore(std::string_view* rest);

  Directory* const directory_;
  const Uuid uuid_;
  const uint64_t id_;
  const Trailer trailer_;
  std::string window_;
  uint64_t read_ = 0;  // bytes of the table so far
  absl::Status status_;
  KeyTableReader reader_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_SEGMENT_RECORD_CURSOR_H_
