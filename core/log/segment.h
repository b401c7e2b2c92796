// One segment of an open database: where its bytes are and how records are read from it.

#ifndef RUMCASK_CORE_LOG_SEGMENT_H_
#define RUMCASK_CORE_LOG_SEGMENT_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "core/format/format.h"
#include "core/plugin/location.h"
#include "core/segment/descriptor_cache.h"
#include "core/system/file_system.h"

namespace rumcask {

class Space;

// A record as it lies in a mapping or in the buffer it was read into.
struct RecordView {
  RecordHeader header;
  const char* bytes = nullptr;

  std::string_view key() const { return RecordKey(bytes, header); }
  std::string_view value() const { return RecordValue(bytes, header); }
};

// Reused between reads; holds nothing that must live on.
using RecordBuffer = std::vector<char>;

// Shared by the segment table, the background work and the pins of values that lie in it. What is
// not atomic is set before the segment is put into the table, or belongs to the write lock.
class Segment : public std::enable_shared_from_this<Segment> {
 public:
  Segment(uint64_t id, uint32_t slot, Stream stream, uint64_t seed)
      : id_(id), slot_(slot), stream_(stream), seed_(seed) {}
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  uint64_t id() const { return id_; }
  uint32_t slot() const { return slot_; }
  Stream stream() const { return stream_; }
  uint64_t seed() const { return seed_; }
  std::string name() const { return SegmentName(id_); }

  // One of these is to be called before the segment is put into the table. It is read from a
  // mapping that stays as long as the segment, or through a descriptor that may be closed between
  // two reads. `permit` is released after the region.
  void ReadFrom(std::shared_ptr<MappedRegion> region, std::shared_ptr<const void> permit) {
    permit_ = std::move(permit);
    read_region_ = std::move(region);
    mapped_ = read_region_->data();
  }
  void ReadThrough(std::unique_ptr<CachedFile> file) { cached_file_ = std::move(file); }
  bool reads_mapped() const { return mapped_ != nullptr; }

  // What a segment is written through until it is sealed, null before and after: its file, and the
  // mapping that records are stored into, null or the one that they are read from. Changed under
  // the write lock; pointers are good until the segment is sealed.
  struct Writing {
    std::shared_ptr<File> file;
    std::shared_ptr<MappedRegion> region;
  };
  void BeginWriting(Writing writing) { writing_ = std::move(writing); }
  // To be destroyed without the lock: it may take milliseconds to unmap a segment.
  Writing EndWriting() { return std::exchange(writing_, Writing()); }
  File* file() const { return writing_.file.get(); }
  std::shared_ptr<File> shared_file() const { return writing_.file; }
  MappedRegion* region() const { return writing_.region.get(); }
  // The mapping for writing, or else the one for reading, or null.
  MappedRegion* mapping() const {
    return writing_.region != nullptr ? writing_.region.get() : read_region_.get();
  }

  // Where the readable records end. It is raised after the bytes are there, and before anybody can
  // learn a location among them.
  uint64_t end() const { return end_.load(std::memory_order_acquire); }
  void set_end(uint64_t end) { end_.store(end, std::memory_order_release); }

  // Reads and verifies the record at `location`. The view points into the mapping, or into
  // `buffer`. DataLoss, naming file and offset, if the bytes there are not a whole record.
  absl::Status Read(Location location, RecordBuffer* buffer, RecordView* record) const;

  // Copies bytes as they are, verifying nothing. DataLoss if they cannot be read.
  absl::Status ReadBytes(uint64_t offset, uint64_t bytes, char* to) const;

  // Asks for the memory that Read will touch. The first byte is loaded, since processors may drop a
  // prefetch whose page is not in the TLB, and of many loads in a row none waits for the one
  // before.
  void Touch(Location location) const {
    if (mapped_ == nullptr) return;
    const char* const bytes = mapped_ + location.offset();
    static_cast<void>(*static_cast<const volatile char*>(bytes));
    for (uint64_t at = 64; at < std::min(location.length(), kTouchedBytes); at += 64) {
      __builtin_prefetch(bytes + at);
    }
  }

  // Begins to read these bytes from the device, for a walk that will need them. A hint.
  void Prefetch(uint64_t offset, uint64_t bytes) const;

  // The record's size on disk, from its header if the location does not tell.
  uint64_t RecordBytesAt(Location location) const {
    return location.is_long() ? LongRecordBytesAt(location) : location.length();
  }

  std::atomic<uint64_t> records{0};
  std::atomic<uint64_t> allocated_bytes{0};
  std::atomic<uint64_t> pins{0};
  // Durable, with a footer, and final.
  std::atomic<bool> sealed{false};
  // Bytes of its tombstones, needed or not.
  std::atomic<uint64_t> tombstone_bytes{0};
  // How many older segments there were when compaction first saw it, plus one; they are what
  // tombstones must stay for.
  std::atomic<uint64_t> older_segments{0};
  // The newest number when it was sealed, from which its age counts.
  std::atomic<uint64_t> sealed_at{0};
  // What compaction is doing with it.
  enum class Role : uint8_t {
    kNone,
    kVictim,    // a job is emptying it
    kSurvivor,  // that job fills it
    kEmptied,   // it was emptied and waits to be retired
    kDamaged,   // a part of it cannot be moved, so it stays until that is dead, too
  };
  std::atomic<Role> role{Role::kNone};

 private:
  friend class Space;

  // Beyond this the processor's own prefetching has noticed that memory is read in order.
  static constexpr uint64_t kTouchedBytes = 512;

  // From four pages on, a record that is not in memory is not read page by page.
  static constexpr uint64_t kManyPages = 16384;

  uint64_t LongRecordBytesAt(Location location) const;
  void PrefetchUnlessInMemory(uint64_t offset, uint64_t bytes) const;
  absl::Status Damaged(uint64_t offset, const std::string& cause) const;
  absl::Status ReadIntoBuffer(Location location, RecordBuffer* buffer, RecordView* record) const;

  // Bytes of records that the keystore points at.
  std::atomic<uint64_t> live_bytes_{0};
  const uint64_t id_;
  const uint32_t slot_;
  const Stream stream_;
  const uint64_t seed_;
  Writing writing_;
  std::shared_ptr<const void> permit_;
  std::shared_ptr<MappedRegion> read_region_;
  std::unique_ptr<CachedFile> cached_file_;
  // The bytes of read_region_.
  const char* mapped_ = nullptr;
  std::atomic<uint64_t> end_{kSegmentHeaderBytes};
};

inline absl::Status Segment::Read(Location location, RecordBuffer* buffer,
                                  RecordView* record) const {
  if (mapped_ == nullptr) return ReadIntoBuffer(location, buffer, record);
  const uint64_t offset = location.offset();
  const uint64_t end = end_.load(std::memory_order_acquire);
  const char* bytes = mapped_ + offset;
  if (offset + kRecordHeaderBytes > end ||
      !DecodeRecordHeader(bytes, end - offset, &record->header)) {
    return Damaged(offset, "no record");
  }
  if (ABSL_PREDICT_FALSE(record->header.record_bytes() >= kManyPages)) {
    PrefetchUnlessInMemory(offset, record->header.record_bytes());
  }
  if (!VerifyRecord(bytes, record->header, seed_ + offset)) {
    return Damaged(offset, "checksum mismatch");
  }
  record->bytes = bytes;
  return absl::OkStatus();
}

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_SEGMENT_H_
