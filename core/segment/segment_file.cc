#include "core/segment/segment_file.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "core/format/key_table.h"
#include "core/plugin/location.h"
#include "core/segment/record_cursor.h"
#include "core/segment/segment_scanner.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

using Step = SegmentScanner::Step;

constexpr size_t kPiece = size_t{1} << 20;

bool IsZero(const char* bytes, size_t size) {
  return std::all_of(bytes, bytes + size, [](char c) { return c == 0; });
}

}  // namespace

SegmentFile::SegmentFile(std::unique_ptr<File> file, const Uuid& uuid, uint64_t id, uint64_t size)
    : owned_(std::move(file)),
      file_(owned_.get()),
      uuid_(uuid),
      id_(id),
      seed_(SegmentSeed(uuid, id)),
      size_(size),
      reader_(file_) {}

SegmentFile::SegmentFile(const File* file, const Uuid& uuid, uint64_t id, uint64_t size)
    : file_(file),
      uuid_(uuid),
      id_(id),
      seed_(SegmentSeed(uuid, id)),
      size_(size),
      reader_(file_) {}

absl::StatusOr<std::unique_ptr<SegmentFile>> SegmentFile::Open(Directory* directory,
                                                               const Uuid& uuid, uint64_t id) {
  absl::StatusOr<FileToRead> opened = OpenToRead(directory, SegmentName(id));
  if (!opened.ok()) return opened.status();
  return std::make_unique<SegmentFile>(std::move(opened->file), uuid, id, opened->size);
}

absl::StatusOr<std::optional<Uuid>> SegmentFile::ReadUuid(Directory* directory, uint64_t id) {
  absl::StatusOr<FileToRead> opened = OpenToRead(directory, SegmentName(id));
  if (!opened.ok()) return opened.status();
  char bytes[kSegmentHeaderBytes];
  const absl::StatusOr<size_t> got =
      SectorReader(opened->file.get()).ReadUpTo(0, bytes, sizeof(bytes));
  if (!got.ok()) return got.status();
  return SegmentHeaderUuid({bytes, *got});
}

uint64_t SegmentFile::records_limit() const { return std::min(size_, Location::kMaxOffset); }

absl::StatusOr<bool> SegmentFile::IsAllZero() {
  std::vector<char> piece(std::min<uint64_t>(kPiece, size_));
  for (uint64_t at = 0; at < records_limit(); at += piece.size()) {
    const absl::StatusOr<size_t> got = reader_.ReadUpTo(at, piece.data(), piece.size());
    if (!got.ok()) return got.status();
    if (!IsZero(piece.data(), *got) || reader_.IsUnreadable(at, at + *got)) return false;
    if (*got < piece.size()) break;
  }
  return true;
}

absl::StatusOr<HeaderState> SegmentFile::ReadHeader(SegmentHeader* header) {
  char bytes[kSegmentHeaderBytes];
  const absl::StatusOr<size_t> got = reader_.ReadUpTo(0, bytes, sizeof(bytes));
  if (!got.ok()) return got.status();
  const HeaderState state = DecodeSegmentHeader({bytes, *got}, uuid_, id_, header);
  if (state != HeaderState::kInvalid || !IsZero(bytes, *got)) return state;
  if (SeededBug("unborn-by-the-header")) return HeaderState::kUnborn;
  const absl::StatusOr<bool> unborn = IsAllZero();
  if (!unborn.ok()) return unborn.status();
  return *unborn ? HeaderState::kUnborn : HeaderState::kInvalid;
}

absl::StatusOr<std::optional<Trailer>> SegmentFile::ReadTrailer() {
  char bytes[kTrailerBytes];
  const size_t tail = static_cast<size_t>(std::min<uint64_t>(size_, sizeof(bytes)));
  const absl::StatusOr<size_t> got = reader_.ReadUpTo(size_ - tail, bytes, tail);
  if (!got.ok()) return got.status();
  Trailer trailer;
  if (*got < tail || !DecodeTrailer({bytes, tail}, seed_, size_, &trailer) ||
      trailer.table_offset > Location::kMaxOffset) {
    return std::nullopt;
  }
  if (!trailer.is_known()) {
    return absl::FailedPreconditionError(
        absl::StrCat(file_->name(), ": has a feature that needs a newer version of this program"));
  }
  return trailer;
}

absl::Status SegmentFile::CheckVersion(const RecordHeader& header, uint64_t offset) const {
  if (IsOfThisVersion(header) && (IsKnownKind(header.kind) || IsSkippableKind(header.kind))) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      file_->name(), " offset ", offset, ": a record of kind ", static_cast<int>(header.kind),
      header.flags == 0 ? "" : absl::StrCat(" with the flags ", static_cast<int>(header.flags)),
      " needs a newer version of this program"));
}

absl::StatusOr<bool> SegmentFile::ReadKeyTable(const Trailer& trailer, char* buffer) {
  const absl::StatusOr<size_t> got =
      reader_.ReadUpTo(trailer.table_offset, buffer, trailer.table_bytes);
  if (!got.ok()) return got.status();
  const std::string_view table(buffer, *got);
  if (table.size() < trailer.table_bytes ||
      reader_.IsUnreadable(trailer.table_offset, trailer.table_offset + trailer.table_bytes) ||
      TableChecksum(table, seed_) != trailer.table_checksum) {
    return false;
  }
  // With a valid checksum only a hostile file has a malformed table. It is read once in full first,
  // so that no part of such a table is used.
  KeyTableReader entry(table, trailer);
  while (entry.Next()) {
    absl::Status status = CheckVersion(entry.header(), entry.offset());
    if (!status.ok()) return status;
  }
  if (entry.needs_newer()) {
    return absl::FailedPreconditionError(
        absl::StrCat(file_->name(), ": its key table needs a newer version of this program"));
  }
  return entry.ok();
}

absl::StatusOr<bool> SegmentFile::ReadKeyTable(const Trailer& trailer, std::string* table) {
  table->assign(trailer.table_bytes, '\0');
  return ReadKeyTable(trailer, table->data());
}

absl::StatusOr<std::optional<std::string>> SegmentFile::ReadFilter(const Trailer& trailer) {
  if (trailer.filter_bytes == 0) return std::string();
  std::string filter(trailer.filter_bytes, '\0');
  const uint64_t begin = trailer.filter_offset();
  const absl::StatusOr<size_t> got = reader_.ReadUpTo(begin, filter.data(), filter.size());
  if (!got.ok()) return got.status();
  if (*got < filter.size() || reader_.IsUnreadable(begin, begin + filter.size()) ||
      TableChecksum(filter, seed_) != trailer.filter_checksum) {
    return std::nullopt;
  }
  return filter;
}

absl::StatusOr<uint64_t> SegmentFile::ReadPrefix(
    uint64_t begin, uint64_t end, absl::FunctionRef<void(const FoundRecord&)> on_record) {
  SegmentScanner scanner(&reader_, seed_, begin, end);
  Step step;
  while ((step = scanner.Next()) == Step::kRecord) {
    absl::Status status = CheckVersion(scanner.header(), scanner.offset());
    if (!status.ok()) return status;
    on_record({scanner.header(), scanner.key(), scanner.offset(), scanner.padding_is_zero()});
  }
  if (step == Step::kError) return scanner.status();
  return scanner.offset();
}

absl::Status SegmentFile::ForEachRecord(
    uint64_t begin, uint64_t end, absl::FunctionRef<absl::Status(const FoundRecord&)> on_record,
    absl::FunctionRef<absl::Status(const FoundDamage&)> on_damage) {
  RecordCursor cursor(this, begin, end);
  while (true) {
    const absl::StatusOr<Found> found = cursor.Next();
    if (!found.ok()) return found.status();
    if (*found == Found::kEnd) return absl::OkStatus();
    absl::Status status =
        *found == Found::kRecord ? on_record(cursor.record()) : on_damage(cursor.damage());
    if (!status.ok()) return status;
  }
}

absl::StatusOr<bool> SegmentFile::ReadRecord(uint64_t offset, uint64_t bytes, std::string* record,
                                             RecordHeader* header) {
  record->resize(bytes);
  const absl::StatusOr<size_t> got = reader_.ReadUpTo(offset, record->data(), bytes);
  if (!got.ok()) return got.status();
  if (*got < bytes || bytes < kRecordHeaderBytes || reader_.IsUnreadable(offset, offset + bytes) ||
      !DecodeRecordHeader(record->data(), bytes, header) || header->record_bytes() != bytes ||
      !VerifyRecord(record->data(), *header, seed_ + offset)) {
    return false;
  }
  absl::Status status = CheckVersion(*header, offset);
  if (!status.ok()) return status;
  return true;
}

absl::StatusOr<bool> SegmentFile::ReadRecord(uint64_t offset, std::string* record,
                                             RecordHeader* header) {
  char bytes[kRecordHeaderBytes];
  const absl::StatusOr<size_t> got = reader_.ReadUpTo(offset, bytes, sizeof(bytes));
  if (!got.ok()) return got.status();
  const uint64_t left = offset < records_limit() ? records_limit() - offset : 0;
  if (*got < sizeof(bytes) || !DecodeRecordHeader(bytes, left, header)) return false;
  return ReadRecord(offset, header->record_bytes(), record, header);
}

absl::StatusOr<TailTraces> SegmentFile::ReadTraces(uint64_t begin) {
  const uint64_t end = records_limit();
  TailTraces traces;
  std::vector<char> buffer(end > begin ? std::min<uint64_t>(kPiece, end - begin) : 0);
  // Pieces overlap by the size of a header, so that no header is cut in two.
  for (uint64_t at = begin; at < end; at += kPiece - kRecordHeaderBytes) {
    const size_t size = static_cast<size_t>(std::min<uint64_t>(kPiece, end - at));
    const absl::StatusOr<size_t> got = reader_.ReadUpTo(at, buffer.data(), size);
    if (!got.ok()) return got.status();
    const auto last_used = std::find_if(buffer.rend() - static_cast<ptrdiff_t>(*got), buffer.rend(),
                                        [](char c) { return c != 0; });
    if (reader_.IsUnreadable(at, at + *got)) {
      traces.bytes = at + *got - begin;
    } else if (last_used != buffer.rend()) {
      traces.bytes = at + static_cast<uint64_t>(buffer.rend() - last_used) - begin;
    }
    for (size_t i = 0; i + kRecordHeaderBytes <= *got; i += 8) {
      const char* bytes = buffer.data() + i;
      if (!MayBeSyncMark(bytes)) continue;
      RecordHeader header;
      if (DecodeRecordHeader(bytes, kRecordHeaderBytes, &header) &&
          VerifyRecord(bytes, header, seed_ + at + i)) {
        absl::Status status = CheckVersion(header, at + i);
        if (!status.ok()) return status;
        traces.durable_sequence = std::max(traces.durable_sequence, header.sequence);
      }
    }
    if (*got < size) break;
  }
  return traces;
}

}  // namespace rumcask
