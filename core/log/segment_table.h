// Finds the segment of a slot with one load more than an array would take, and without a lock.
//
// Slots are found through chunks of 1,024, which never move. Gets run beside a writer that adds
// segments, so a vector that moves when it grows is no choice, and a flat array for two million
// slots would take 16 MiB.

#ifndef RUMCASK_CORE_LOG_SEGMENT_TABLE_H_
#define RUMCASK_CORE_LOG_SEGMENT_TABLE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/log/segment.h"
#include "core/plugin/location.h"
#include "core/system/mutex.h"

namespace rumcask {

// Keeps every segment until it is destroyed. Thread-safe, but for Add, which one thread at a time
// calls.
class SegmentTable {
 public:
  ~SegmentTable() {
    for (std::atomic<Chunk*>& chunk : chunks_) delete chunk.load(std::memory_order_relaxed);
  }

  // The segment of a location that a keystore gave out.
  Segment* Get(uint32_t slot) const {
    return (*chunks_[slot / kChunk].load(std::memory_order_acquire))[slot % kChunk].load(
        std::memory_order_acquire);
  }

  // The next free slot.
  uint32_t next_slot() const {
    MutexLock lock(mutex_);
    return static_cast<uint32_t>(segments_.size());
  }

  // Takes the segment in; its slot() must be next_slot(), below Location::kMaxSlots.
  void Add(std::shared_ptr<Segment> segment) {
    MutexLock lock(mutex_);
    std::atomic<Chunk*>& place = chunks_[segment->slot() / kChunk];
    Chunk* chunk = place.load(std::memory_order_relaxed);
    if (chunk == nullptr) {
      chunk = new Chunk();
      place.store(chunk, std::memory_order_release);
    }
    (*chunk)[segment->slot() % kChunk].store(segment.get(), std::memory_order_release);
    segments_.push_back(std::move(segment));
  }

  // All of them, by slot.
  std::vector<std::shared_ptr<Segment>> All() const {
    MutexLock lock(mutex_);
    return segments_;
  }

 private:
  static constexpr uint32_t kChunk = 1024;
  using Chunk = std::array<std::atomic<Segment*>, kChunk>;

  std::array<std::atomic<Chunk*>, Location::kMaxSlots / kChunk> chunks_ = {};
  mutable Mutex mutex_;
  std::vector<std::shared_ptr<Segment>> segments_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_SEGMENT_TABLE_H_
