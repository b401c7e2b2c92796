#include "core/segment_writer.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace rumcask {
namespace {

constexpr uint64_t kFirstExtent = uint64_t{64} << 10;
constexpr size_t kPrefetchedLines = 4;
constexpr uint64_t kLargestExtent = uint64_t{1} << 20;

// Zeros to extend files with.
const std::string& Zeros() {
  static const std::string* const zeros = new std::string(kFirstExtent, '\0');
  return *zeros;
}

}  // namespace

SegmentWriter::SegmentWriter(std::shared_ptr<Segment> segment, bool mapped, uint64_t end,
                             uint64_t allocated, uint64_t capacity, uint64_t last_checksum)
    : segment_(std::move(segment)),
      mapped_(mapped),
      capacity_(capacity),
      end_(end),
      last_checksum_(last_checksum),
      allocated_(allocated),
      extend_at_(mapped ? allocated / 2 : UINT64_MAX) {
  segment_->allocated_bytes.store(allocated, std::memory_order_relaxed);
}

void SegmentWriter::Encode(const NewRecord& record, uint64_t offset, char* to) const {
  const RecordHeader& header = record.header;
  // The padding, at most 7 bytes; what is no padding of these 8 is overwritten.
  StoreU64(to + header.record_bytes() - 8, 0);
  EncodeRecordHeader(to, header, segment_->seed() + offset, record.inner);
  char* body = to + kRecordHeaderBytes;
  // A mark has no key, and memcpy takes no null pointer, not even for nothing.
  if (!record.key.empty()) std::memcpy(body, record.key.data(), record.key.size());
  if (!record.value.empty()) {
    std::memcpy(body + record.key.size(), record.value.data(), record.value.size());
  }
}

uint64_t SegmentWriter::Locate(uint64_t offset, NewRecord* record) const {
  const uint64_t size = record->header.record_bytes();
  record->location = Location::Make(segment_->slot(), offset, size);
  return offset + size;
}

absl::Status SegmentWriter::WriteHeader(const SegmentHeader& header) {
  char bytes[kSegmentHeaderBytes];
  EncodeSegmentHeader(header, bytes);
  if (!mapped_) return segment_->file()->Write(0, {bytes, sizeof(bytes)});
  absl::Status status = Reserve(kSegmentHeaderBytes);
  if (!status.ok()) return status;
  std::memcpy(segment_->region()->data(), bytes, sizeof(bytes));
  segment_->region()->Wrote(0, sizeof(bytes));
  return absl::OkStatus();
}

absl::Status SegmentWriter::Append(absl::Span<NewRecord> records, uint64_t bytes, bool* broken) {
  if (mapped_) {
    if (end_ + bytes > allocated_.load(std::memory_order_acquire)) {
      absl::Status status = Reserve(end_ + bytes);
      if (!status.ok()) return status;
    }
    char* const base = segment_->region()->data();
    uint64_t at = end_;
    uint64_t last = end_;
    for (NewRecord& record : records) {
      last = at;
      at = Locate(at, &record);
      Encode(record, last, base + last);
    }
    segment_->region()->Wrote(end_, bytes);
    last_checksum_ = LoadU64(base + last);
    // The zeros there were written by another core, whose cache still has them.
    for (size_t i = 0; i < kPrefetchedLines; ++i) __builtin_prefetch(base + at + i * 64, 1);
  } else {
    absl::Status status = WriteOut(records, bytes, broken);
    if (!status.ok()) return status;
    segment_->allocated_bytes.store(end_ + bytes, std::memory_order_relaxed);
    uint64_t at = end_;
    for (NewRecord& record : records) at = Locate(at, &record);
  }
  end_ += bytes;
  segment_->set_end(end_);
  segment_->records.store(segment_->records.load(std::memory_order_relaxed) + records.size(),
                          std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::Status SegmentWriter::WriteOut(absl::Span<NewRecord> records, uint64_t bytes, bool* broken) {
  absl::Status status;
  uint64_t last_checksum = 0;
  NewRecord& last = records.back();
  const uint64_t last_bytes = last.header.record_bytes();
  constexpr size_t kCopied = size_t{64} << 10;
  if (last.value.size() > kCopied) {
    // Everything but the last value is copied together; that one is written from where it lies.
    const size_t tail = last_bytes - kRecordHeaderBytes - last.key.size() - last.value.size();
    scratch_.resize(bytes - last.value.size() - tail);
    uint64_t at = 0;
    for (size_t i = 0; i + 1 < records.size(); ++i) {
      Encode(records[i], end_ + at, scratch_.data() + at);
      at += records[i].header.record_bytes();
    }
    EncodeRecordHeader(scratch_.data() + at, last.header, segment_->seed() + end_ + at, last.inner);
    std::memcpy(scratch_.data() + at + kRecordHeaderBytes, last.key.data(), last.key.size());
    last_checksum = LoadU64(scratch_.data() + at);
    static char padding[8] = {};
    status = segment_->file()->Write(
        end_, std::vector<iovec>{{scratch_.data(), scratch_.size()},
                                 {const_cast<char*>(last.value.data()), last.value.size()},
                                 {padding, tail}});
  } else {
    scratch_.resize(bytes);
    uint64_t at = 0;
    for (NewRecord& record : records) {
      Encode(record, end_ + at, scratch_.data() + at);
      last_checksum = LoadU64(scratch_.data() + at);
      at += record.header.record_bytes();
    }
    status = segment_->file()->Write(end_, scratch_);
  }
  // A huge batch must not keep its memory for ever.
  if (scratch_.capacity() > (size_t{4} << 20)) scratch_ = std::string();
  if (status.ok()) {
    last_checksum_ = last_checksum;
    return status;
  }
  // What was written of it must not be found by a scan: cut it off, or make it no record.
  if (!segment_->file()->Truncate(end_).ok() &&
      !segment_->file()->Write(end_, std::string_view("\0\0\0\0\0\0\0\0", 8)).ok()) {
    *broken = true;
  }
  return status;
}

absl::Status SegmentWriter::Reserve(uint64_t end) {
  MutexLock lock(extend_mutex_);
  while (allocated_.load(std::memory_order_relaxed) < end) {
    absl::Status status = Extend(end);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status SegmentWriter::ExtendAhead() {
  if (!mapped_) return absl::OkStatus();
  MutexLock lock(extend_mutex_);
  while (!stopped_ && segment_->end() >= extend_at_.load(std::memory_order_relaxed) &&
         allocated_.load(std::memory_order_relaxed) < capacity_) {
    absl::Status status = Extend(0);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void SegmentWriter::StopExtending() {
  MutexLock lock(extend_mutex_);
  stopped_ = true;
}

absl::Status SegmentWriter::Extend(uint64_t needed) {
  const uint64_t from = allocated_.load(std::memory_order_relaxed);
  uint64_t step = std::clamp(from, kFirstExtent, kLargestExtent);
  if (needed > from) step = std::min(std::max(step, needed - from), 16 * kLargestExtent);
  const uint64_t to = std::min((from + step + 4095) & ~uint64_t{4095}, capacity_);
  std::vector<iovec> pieces;
  for (uint64_t at = from; at < to;) {
    const size_t size = static_cast<size_t>(std::min<uint64_t>(Zeros().size(), to - at));
    pieces.push_back({const_cast<char*>(Zeros().data()), size});
    at += size;
  }
  absl::Status status = segment_->file()->Write(from, std::move(pieces));
  if (!status.ok()) return status;
  segment_->region()->Populate(from, to - from);
  allocated_.store(to, std::memory_order_release);
  segment_->allocated_bytes.store(to, std::memory_order_relaxed);
  // Half of what is there while small, 1 MiB before the end later; never again when full.
  const uint64_t low_water = std::min(to / 2, kLargestExtent);
  extend_at_.store(to >= capacity_ ? UINT64_MAX : to - low_water, std::memory_order_relaxed);
  return absl::OkStatus();
}

}  // namespace rumcask
