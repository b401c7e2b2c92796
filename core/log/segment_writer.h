// Appends records to the active segment.

#ifndef RUMCASK_CORE_LOG_SEGMENT_WRITER_H_
#define RUMCASK_CORE_LOG_SEGMENT_WRITER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "core/log/segment.h"
#include "core/plugin/location.h"
#include "core/system/mutex.h"

namespace rumcask {

// A record on its way into the log. Key and value belong to the caller.
struct NewRecord {
  RecordHeader header;  // number and checksum are set by appending
  std::string_view key;
  std::string_view value;
  uint64_t inner = 0;  // InnerChecksum(key, value)
  Location location;   // set by appending
};

// The place in one segment where the log grows.
//
// Mapped: bytes are stored into a shared mapping over blocks that were written with zeros before,
// so that a store neither faults on a missing block nor runs out of disk. The blocks grow
// geometrically from 64 KiB, then by 1 MiB, never more than 2 MiB ahead: dirty zeros cost the next
// fdatasync. Where there is no room for that much, by less, down to the 4 KiB that are needed; what
// was reserved for a write that finds no room in the end is given back. Otherwise: one pwritev at
// an explicit offset; a failed one is undone.
//
// Begin and Append need the write lock of the database; ExtendAhead and StopExtending do not.
class SegmentWriter {
 public:
  // Continues `segment` at `end`. It must have a writable region to be `mapped`. `allocated` bytes
  // of the file exist; from `capacity` on it takes no more.
  SegmentWriter(std::shared_ptr<Segment> segment, bool mapped, uint64_t end, uint64_t allocated,
                uint64_t capacity, uint64_t last_checksum);

  Segment* segment() const { return segment_.get(); }
  const std::shared_ptr<Segment>& shared_segment() const { return segment_; }
  uint64_t end() const { return end_; }
  uint64_t capacity() const { return capacity_; }
  // Of the last record, 0 if there is none.
  uint64_t last_checksum() const { return last_checksum_; }
  bool mapped() const { return mapped_; }

  // Whether `bytes` more fit in.
  bool Fits(uint64_t bytes) const { return end_ + bytes <= capacity_; }

  // Writes the segment's header and first records in one step. On error the file has no bytes but
  // zeros, and it may be tried again - except if `*broken` is set: then the failed write could not
  // be undone, and the file must go.
  absl::Status Begin(const SegmentHeader& header, absl::Span<NewRecord> records, uint64_t bytes,
                     bool* broken);

  // Appends the records, whose numbers are set and whose sizes add up to `bytes`, in one step, and
  // sets their locations. On error the segment is as before - except if `*broken` is set: then the
  // failed write could not be undone and nothing may follow.
  absl::Status Append(absl::Span<NewRecord> records, uint64_t bytes, bool* broken);

  // Reserves more blocks if fewer than the low-water mark are left. For the background thread.
  absl::Status ExtendAhead();
  // No ExtendAhead changes the file from now on, so the bytes behind the end belong to the footer.
  void StopExtending();
  // ExtendAhead should be called when the end has reached this.
  uint64_t extend_at() const { return extend_at_.load(std::memory_order_relaxed); }

 private:
  absl::Status Extend(uint64_t needed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(extend_mutex_);
  absl::Status WriteZeros(uint64_t from, uint64_t to);
  void SetAllocated(uint64_t allocated) ABSL_EXCLUSIVE_LOCKS_REQUIRED(extend_mutex_);
  absl::Status Reserve(uint64_t end);
  // Writes `front`, which is a header for the beginning of the file or empty, and the records.
  absl::Status AppendOut(std::string_view front, absl::Span<NewRecord> records, uint64_t bytes,
                         bool* broken);
  absl::Status WriteOut(std::string_view front, absl::Span<NewRecord> records, uint64_t bytes,
                        bool* broken);
  void Advance(absl::Span<NewRecord> records, uint64_t bytes);
  void Encode(const NewRecord& record, uint64_t offset, char* to) const;
  // Sets the record's location; returns the offset of what follows it.
  uint64_t Locate(uint64_t offset, NewRecord* record) const;

  const std::shared_ptr<Segment> segment_;
  const bool mapped_;
  const uint64_t capacity_;
  uint64_t end_;
  uint64_t last_checksum_;
  std::string scratch_;

  Mutex extend_mutex_;
  bool stopped_ ABSL_GUARDED_BY(extend_mutex_) = false;
  std::atomic<uint64_t> allocated_;
  std::atomic<uint64_t> extend_at_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_SEGMENT_WRITER_H_
