#include "core/segment/record_cursor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace rumcask {
namespace {

using Step = SegmentScanner::Step;

// A block of short keys fits into one piece. Longer ones take several.
constexpr uint64_t kTablePiece = uint64_t{32} << 10;
constexpr uint64_t kCheckedPiece = uint64_t{1} << 20;

}  // namespace

RecordCursor::RecordCursor(SegmentFile* file, uint64_t begin, uint64_t end)
    : file_(file), scanner_(file->bytes(), file->seed(), begin, end) {}

absl::StatusOr<Found> RecordCursor::Next() {
  Step step = std::exchange(resynced_, false) ? Step::kRecord : scanner_.Next();
  if (step == Step::kInvalid) {
    const uint64_t at = scanner_.offset();
    step = scanner_.Resync();
    if (step == Step::kError) return scanner_.status();
    const bool unreadable = file_->bytes()->IsUnreadable(at, scanner_.offset());
    resynced_ = step == Step::kRecord;
    damage_ = {at, scanner_.offset() - at, resynced_,
               scanner_.gave_up() ? "no record, and too costly to search on"
               : unreadable       ? "damaged record, in a sector that cannot be read"
                                  : "damaged record"};
    return Found::kDamage;
  }
  if (step == Step::kError) return scanner_.status();
  if (step == Step::kEnd) return Found::kEnd;
  absl::Status status = file_->CheckVersion(scanner_.header(), scanner_.offset());
  if (!status.ok()) return status;
  return Found::kRecord;
}

KeyTableCursor::KeyTableCursor(Directory* directory, const Uuid& uuid, uint64_t id,
                               const Trailer& trailer)
    : directory_(directory),
      uuid_(uuid),
      id_(id),
      trailer_(trailer),
      reader_({}, trailer, [this](std::string_view* rest) { return ReadMore(rest); }) {}

bool KeyTableCursor::ReadMore(std::string_view* rest) {
  const uint64_t piece = std::min(kTablePiece, trailer_.table_bytes - read_);
  if (piece == 0) return false;
  absl::StatusOr<std::unique_ptr<SegmentFile>> file = SegmentFile::Open(directory_, uuid_, id_);
  if (!file.ok()) {
    status_ = file.status();
    return false;
  }
  window_.erase(0, window_.size() - rest->size());
  const size_t before = window_.size();
  window_.resize(before + piece);
  const absl::StatusOr<size_t> got =
      (*file)->bytes()->ReadUpTo(trailer_.table_offset + read_, window_.data() + before, piece);
  if (!got.ok()) status_ = got.status();
  if (!got.ok() || *got < piece) return false;
  read_ += piece;
  *rest = window_;
  return true;
}

absl::StatusOr<bool> KeyTableCursor::Check() {
  {
    absl::StatusOr<std::unique_ptr<SegmentFile>> file = SegmentFile::Open(directory_, uuid_, id_);
    if (!file.ok()) return file.status();
    TableHash hash((*file)->seed());
    std::string piece;
    for (uint64_t at = 0; at < trailer_.table_bytes; at += piece.size()) {
      piece.resize(std::min(kCheckedPiece, trailer_.table_bytes - at));
      const uint64_t offset = trailer_.table_offset + at;
      const absl::StatusOr<size_t> got =
          (*file)->bytes()->ReadUpTo(offset, piece.data(), piece.size());
      if (!got.ok()) return got.status();
      if (*got < piece.size() || (*file)->bytes()->IsUnreadable(offset, offset + piece.size())) {
        return false;
      }
      hash.Add(piece);
    }
    if (hash.Get() != trailer_.table_checksum) return false;
  }
  // With a valid checksum only a hostile file has a malformed table. It is walked once in full
  // first, so that no part of such a table is used.
  KeyTableCursor walk(directory_, uuid_, id_, trailer_);
  while (walk.reader_.Next()) {
    if (IsOfThisVersion(walk.header())) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(SegmentName(id_), ": its key table needs a newer version of this program"));
  }
  if (!walk.status_.ok()) return walk.status_;
  if (walk.reader_.needs_newer()) {
    return absl::FailedPreconditionError(
        absl::StrCat(SegmentName(id_), ": its key table needs a newer version of this program"));
  }
  return walk.reader_.ok();
}

absl::StatusOr<bool> KeyTableCursor::Next() {
  if (reader_.Next()) return true;
  if (!status_.ok()) return status_;
  if (reader_.ok()) return false;
  return absl::DataLossError(absl::StrCat(SegmentName(id_), ": its key table has changed"));
}

}  // namespace rumcask
