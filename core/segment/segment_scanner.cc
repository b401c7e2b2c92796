#include "core/segment/segment_scanner.h"

#include <algorithm>

namespace rumcask {
namespace {

constexpr size_t kReadAhead = size_t{256} << 10;
// Records up to this size are checked in the buffer, larger ones in pieces of it.
constexpr size_t kPiece = size_t{1} << 20;
// Resynchronising an honest segment checksums each byte a few times at the most, as few of its
// offsets look like headers.
constexpr uint64_t kResyncFactor = 16;

}  // namespace

SegmentScanner::SegmentScanner(SectorReader* reader, uint64_t segment_seed, uint64_t begin,
                               uint64_t end)
    : reader_(reader),
      seed_(segment_seed),
      end_(std::max(begin, end)),
      offset_(begin),
      next_(begin) {}

const char* SegmentScanner::Window(uint64_t offset, size_t size) {
  if (offset >= buffer_offset_ && offset + size <= buffer_offset_ + buffer_size_) {
    return buffer_.data() + (offset - buffer_offset_);
  }
  const size_t want =
      static_cast<size_t>(std::min<uint64_t>(std::max(size, kReadAhead), end_ - offset));
  if (buffer_.size() < want) buffer_.resize(want);
  buffer_size_ = 0;
  absl::StatusOr<size_t> got = reader_->ReadUpTo(offset, buffer_.data(), want);
  if (!got.ok()) {
    status_ = got.status();
    return nullptr;
  }
  buffer_offset_ = offset;
  buffer_size_ = *got;
  // A file that is shorter than `end` has no record there.
  if (*got < size) return nullptr;
  return buffer_.data();
}

bool SegmentScanner::VerifyInPieces() {
  // Does what VerifyRecord does, hashing the value piece by piece.
  const char* head = Window(offset_, kRecordHeaderBytes + header_.key_bytes);
  if (head == nullptr) return false;
  char hashed[24];
  std::memcpy(hashed, head + 8, 16);
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset_withSeed(state, XXH3_64bits(head + kRecordHeaderBytes, header_.key_bytes));
  uint64_t at = offset_ + kRecordHeaderBytes + header_.key_bytes;
  const uint64_t value_end = at + header_.value_bytes;
  while (at < value_end) {
    const size_t size = static_cast<size_t>(std::min<uint64_t>(kPiece, value_end - at));
    const char* piece = Window(at, size);
    if (piece == nullptr) {
      XXH3_freeState(state);
      return false;
    }
    XXH3_64bits_update(state, piece, size);
    at += size;
  }
  StoreU64(hashed + 16, XXH3_64bits_digest(state));
  XXH3_freeState(state);
  return XXH3_64bits_withSeed(hashed, sizeof(hashed), seed_ + offset_) == header_.checksum;
}

bool SegmentScanner::Verify(bool searches) {
  const char* head = Window(offset_, kRecordHeaderBytes);
  if (head == nullptr || !DecodeRecordHeader(head, end_ - offset_, &header_)) return false;
  if (searches && !IsOfThisVersion(header_)) return false;
  checksummed_ += header_.record_bytes();
  const uint64_t size = header_.record_bytes();
  const uint64_t padding = size - kRecordHeaderBytes - header_.key_bytes - header_.value_bytes;
  if (size > kPiece) {
    if (!VerifyInPieces()) return false;
    const char* tail = Window(offset_ + size - 8, 8);
    if (tail == nullptr) return false;
    CheckPadding(tail + 8, padding);
    head = Window(offset_, kRecordHeaderBytes + header_.key_bytes);
    if (head == nullptr) return false;
  } else {
    head = Window(offset_, size);
    if (head == nullptr || !VerifyRecord(head, header_, seed_ + offset_)) return false;
    CheckPadding(head + size, padding);
  }
  // Zeros stand in for bytes that cannot be read. If they verify, no reader could get the record.
  if (reader_->IsUnreadable(offset_, offset_ + size)) return false;
  key_ = RecordKey(head, header_);
  return true;
}

void SegmentScanner::CheckPadding(const char* record_end, uint64_t padding) {
  padding_is_zero_ = std::all_of(record_end - padding, record_end, [](char c) { return c == 0; });
}

SegmentScanner::Step SegmentScanner::Next() {
  offset_ = next_;
  if (offset_ == end_) return Step::kEnd;
  if (end_ - offset_ < kRecordHeaderBytes) return Step::kInvalid;
  if (!Verify(/*searches=*/false)) return status_.ok() ? Step::kInvalid : Step::kError;
  next_ = offset_ + header_.record_bytes();
  return Step::kRecord;
}

SegmentScanner::Step SegmentScanner::Resync() {
  const uint64_t budget = kResyncFactor * end_ + (uint64_t{64} << 20);
  for (offset_ = next_ + 8; end_ > offset_ && end_ - offset_ >= kRecordHeaderBytes; offset_ += 8) {
    if (Verify(/*searches=*/true)) {
      next_ = offset_ + header_.record_bytes();
      return Step::kRecord;
    }
    if (!status_.ok()) return Step::kError;
    if (checksummed_ > budget) {
      gave_up_ = true;
      break;
    }
  }
  offset_ = next_ = end_;
  return Step::kEnd;
}

}  // namespace rumcask
