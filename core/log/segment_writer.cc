#include "core/log/segment_writer.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace rumcask {
namespace {

constexpr uint64_t kFirstExtent = uint64_t{64} << 10;
constexpr size_t kPrefetchedLines = 4;
constexpr uint64_t kLargestExtent = uint64_t{1} << 20;
constexpr uint64_t kSmallestExtent = 4096;

uint64_t RoundUp(uint64_t bytes) { return (bytes + kSmallestExtent - 1) & ~(kSmallestExtent - 1); }

// The bytes after the value, up to the next multiple of 8.
size_t PaddingOf(const NewRecord& record) {
  return record.header.record_bytes() - kRecordHeaderBytes - record.key.size() -
         record.value.size();
}

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
  // At most 7 of these 8 bytes are padding; the others are overwritten below.
  StoreU64(to + header.record_bytes() - 8, 0);
  EncodeRecordHeader(to, header, segment_->seed() + offset, record.inner);
  char* body = to + kRecordHeaderBytes;
  // A mark has no key, and memcpy may not be given a null pointer, not even for zero bytes.
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

inline void SegmentWriter::Advance(absl::Span<NewRecord> records, uint64_t bytes) {
  end_ += bytes;
  segment_->set_end(end_);
  segment_->records.store(segment_->records.load(std::memory_order_relaxed) + records.size(),
                          std::memory_order_relaxed);
}

absl::Status SegmentWriter::Begin(const SegmentHeader& header, absl::Span<NewRecord> records,
                                  uint64_t bytes, bool* broken) {
  char front[kSegmentHeaderBytes];
  EncodeSegmentHeader(header, front);
  if (!mapped_) return AppendOut({front, sizeof(front)}, records, bytes, broken);
  absl::Status status = Reserve(kSegmentHeaderBytes + bytes);
  if (!status.ok()) return status;
  // From here on nothing can fail.
  std::memcpy(segment_->region()->data(), front, sizeof(front));
  segment_->region()->Wrote(0, sizeof(front));
  return Append(records, bytes, broken);
}

absl::Status SegmentWriter::Append(absl::Span<NewRecord> records, uint64_t bytes, bool* broken) {
  if (!mapped_) return AppendOut({}, records, bytes, broken);
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
  // The zeros there were written by another core, which still has them in its cache.
  for (size_t i = 0; i < kPrefetchedLines; ++i) __builtin_prefetch(base + at + i * 64, 1);
  Advance(records, bytes);
  return absl::OkStatus();
}

absl::Status SegmentWriter::AppendOut(std::string_view front, absl::Span<NewRecord> records,
                                      uint64_t bytes, bool* broken) {
  absl::Status status = WriteOut(front, records, bytes, broken);
  if (!status.ok()) return status;
  segment_->allocated_bytes.store(end_ + bytes, std::memory_order_relaxed);
  uint64_t at = end_;
  for (NewRecord& record : records) at = Locate(at, &record);
  Advance(records, bytes);
  return absl::OkStatus();
}

absl::Status SegmentWriter::WriteOut(std::string_view front, absl::Span<NewRecord> records,
                                     uint64_t bytes, bool* broken) {
  constexpr size_t kCopied = size_t{64} << 10;
  const uint64_t from = end_ - front.size();
  // All parts are copied into one buffer, except a large last value, which is written in place.
  std::string_view apart;
  if (!records.empty() && records.back().value.size() > kCopied) apart = records.back().value;
  uint64_t last_checksum = 0;
  size_t at = front.size();
  scratch_.resize(at + bytes - (apart.empty() ? 0 : apart.size() + PaddingOf(records.back())));
  if (!front.empty()) std::memcpy(scratch_.data(), front.data(), front.size());
  for (const NewRecord& record : records) {
    char* const to = scratch_.data() + at;
    if (!apart.empty() && &record == &records.back()) {
      EncodeRecordHeader(to, record.header, segment_->seed() + from + at, record.inner);
      std::memcpy(to + kRecordHeaderBytes, record.key.data(), record.key.size());
    } else {
      Encode(record, from + at, to);
    }
    last_checksum = LoadU64(to);
    at += record.header.record_bytes();
  }
  absl::Status status;
  if (apart.empty()) {
    status = segment_->file()->Write(from, scratch_);
  } else {
    static char padding[8] = {};
    status = segment_->file()->Write(
        from, std::vector<iovec>{{scratch_.data(), scratch_.size()},
                                 {const_cast<char*>(apart.data()), apart.size()},
                                 {padding, PaddingOf(records.back())}});
  }
  // The memory of a huge batch is not kept.
  if (scratch_.capacity() > (size_t{4} << 20)) scratch_ = std::string();
  if (status.ok()) {
    last_checksum_ = last_checksum;
    return status;
  }
  // A scan must not find what was written of the record, so it is cut off or made invalid. A file
  // with a torn header cannot be used for another segment.
  if (!segment_->file()->Truncate(from).ok() &&
      (!front.empty() ||
       !segment_->file()->Write(from, std::string_view("\0\0\0\0\0\0\0\0", 8)).ok())) {
    *broken = true;
  }
  return status;
}

absl::Status SegmentWriter::Reserve(uint64_t end) {
  MutexLock lock(extend_mutex_);
  const uint64_t before = allocated_.load(std::memory_order_relaxed);
  while (allocated_.load(std::memory_order_relaxed) < end) {
    absl::Status status = Extend(end);
    if (status.ok()) continue;
    if (allocated_.load(std::memory_order_relaxed) != before) {
      // The write is refused, so the room that was reserved for it is given back.
      SetAllocated(before);
      (void)segment_->file()->Truncate(before);
    }
    return status;
  }
  return absl::OkStatus();
}

absl::Status SegmentWriter::ExtendAhead() {
  if (!mapped_) return absl::OkStatus();
  MutexLock lock(extend_mutex_);
  while (!stopped_ && segment_->end() >= extend_at_.load(std::memory_order_relaxed) &&
         allocated_.load(std::memory_order_relaxed) < capacity_) {
    absl::Status status = Extend(0);
    if (!status.ok()) {
      // Reserving ahead is not tried again before a writer has found room.
      extend_at_.store(UINT64_MAX, std::memory_order_relaxed);
      return status;
    }
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
  uint64_t to = std::min(RoundUp(from + step), capacity_);
  // A write needs all of `needed`; whatever is reserved beyond that is only a reserve.
  const uint64_t least =
      needed > from ? std::min({RoundUp(needed), RoundUp(from + 16 * kLargestExtent), to}) : to;
  absl::Status status = WriteZeros(from, to);
  while (absl::IsResourceExhausted(status) && to > least) {
    to = std::max(least, (from + (to - from) / 2) & ~(kSmallestExtent - 1));
    status = WriteZeros(from, to);
  }
  if (!status.ok()) return status;
  segment_->region()->Populate(from, to - from);
  SetAllocated(to);
  return absl::OkStatus();
}

// Writes all of the zeros or none.
absl::Status SegmentWriter::WriteZeros(uint64_t from, uint64_t to) {
  std::vector<iovec> pieces;
  for (uint64_t at = from; at < to;) {
    const size_t size = static_cast<size_t>(std::min<uint64_t>(Zeros().size(), to - at));
    pieces.push_back({const_cast<char*>(Zeros().data()), size});
    at += size;
  }
  absl::Status status = segment_->file()->Write(from, std::move(pieces));
  if (!status.ok()) (void)segment_->file()->Truncate(from);
  return status;
}

void SegmentWriter::SetAllocated(uint64_t allocated) {
  allocated_.store(allocated, std::memory_order_release);
  segment_->allocated_bytes.store(allocated, std::memory_order_relaxed);
  // At half of what is allocated while that is little, later 1 MiB before its end; never when full.
  const uint64_t low_water = std::min(allocated / 2, kLargestExtent);
  extend_at_.store(allocated >= capacity_ ? UINT64_MAX : allocated - low_water,
                   std::memory_order_relaxed);
}

}  // namespace rumcask
