#include "core/log/segment.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace rumcask {

absl::Status Segment::Damaged(uint64_t offset, const std::string& cause) const {
  return absl::DataLossError(absl::StrCat(name(), " offset ", offset, ": ", cause));
}

absl::Status Segment::ReadIntoBuffer(Location location, RecordBuffer* buffer,
                                     RecordView* record) const {
  const uint64_t offset = location.offset();
  const uint64_t end = this->end();
  if (offset + kRecordHeaderBytes > end) return Damaged(offset, "no record");
  uint64_t size = std::min(location.length(), end - offset);
  for (int round = 0;; ++round) {
    if (buffer->size() < size) buffer->resize(size);
    const absl::Status status = cached_file_->Read(offset, buffer->data(), size);
    if (!status.ok()) {
      // A sector that can't be read is damage to this record, as is a file that ends before it or
      // is no longer there. Want of memory, descriptors or rights is not.
      if (!absl::IsResourceExhausted(status) && !absl::IsPermissionDenied(status)) {
        return Damaged(offset, std::string(status.message()));
      }
      return absl::Status(status.code(),
                          absl::StrCat(name(), " offset ", offset, ": ", status.message()));
    }
    if (!DecodeRecordHeader(buffer->data(), end - offset, &record->header)) {
      return Damaged(offset, "no record");
    }
    if (record->header.record_bytes() <= size) break;
    // Only a record whose length the location could not hold needs a second read.
    if (!location.is_long() || round > 0) return Damaged(offset, "length mismatch");
    size = record->header.record_bytes();
  }
  if (!VerifyRecord(buffer->data(), record->header, seed_ + offset)) {
    return Damaged(offset, "checksum mismatch");
  }
  record->bytes = buffer->data();
  return absl::OkStatus();
}

absl::Status Segment::ReadBytes(uint64_t offset, uint64_t bytes, char* to) const {
  if (offset + bytes > end()) return Damaged(offset, "no record");
  if (mapped_ != nullptr) {
    std::memcpy(to, mapped_ + offset, bytes);
    return absl::OkStatus();
  }
  absl::Status status = cached_file_->Read(offset, to, bytes);
  if (status.ok()) return status;
  if (!absl::IsResourceExhausted(status) && !absl::IsPermissionDenied(status)) {
    return Damaged(offset, std::string(status.message()));
  }
  return absl::Status(status.code(),
                      absl::StrCat(name(), " offset ", offset, ": ", status.message()));
}

void Segment::Prefetch(uint64_t offset, uint64_t bytes) const {
  const uint64_t end = this->end();
  if (offset >= end) return;
  bytes = std::min(bytes, end - offset);
  if (mapped_ != nullptr) {
    read_region_->Prefetch(offset, bytes);
  } else {
    cached_file_->Prefetch(offset, bytes);
  }
}

// To ask the kernel what is in memory takes longer than to copy four pages. A page that is takes
// well below a microsecond to load, and one from a device ten and more, so one is loaded.
void Segment::PrefetchUnlessInMemory(uint64_t offset, uint64_t bytes) const {
  constexpr uint64_t kSmallestPage = 4096;
  constexpr std::chrono::microseconds kFromDevice(8);
  const auto begin = std::chrono::steady_clock::now();
  static_cast<void>(*static_cast<const volatile char*>(mapped_ + offset + kSmallestPage));
  if (std::chrono::steady_clock::now() - begin >= kFromDevice) Prefetch(offset, bytes);
}

uint64_t Segment::LongRecordBytesAt(Location location) const {
  RecordHeader header;
  char bytes[kRecordHeaderBytes];
  const uint64_t offset = location.offset();
  if (offset + kRecordHeaderBytes > end()) return 0;
  if (mapped_ != nullptr) {
    std::memcpy(bytes, mapped_ + offset, sizeof(bytes));
  } else if (!cached_file_->Read(offset, bytes, sizeof(bytes)).ok()) {
    return 0;
  }
  return DecodeRecordHeader(bytes, end() - offset, &header) ? header.record_bytes() : 0;
}

}  // namespace rumcask
