// The segments of an open database, by slot and by id.
//
// A reader finds the segment of a slot with one load more than an array would take, and without a
// lock: through chunks of 1,024 slots, which never move. A vector that moves when it grows is no
// choice, as readers run beside whoever adds segments, and a flat array for two million slots would
// take 16 MiB.
//
// A slot is reserved when a segment is made, before it is added or even if it never is, so that two
// segments never get the same one; and it is free again when its segment has been removed. Whoever
// removes a segment has made sure that no location in it can be found or is in use.

#ifndef RUMCASK_CORE_LOG_SEGMENT_TABLE_H_
#define RUMCASK_CORE_LOG_SEGMENT_TABLE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"

#include "core/log/segment.h"
#include "core/plugin/location.h"
#include "core/system/mutex.h"

namespace rumcask {

// Thread-safe.
class SegmentTable {
 public:
  SegmentTable() = default;
  ~SegmentTable() {
    for (std::atomic<Chunk*>& chunk : chunks_) delete chunk.load(std::memory_order_relaxed);
  }
  SegmentTable(const SegmentTable&) = delete;
  SegmentTable& operator=(const SegmentTable&) = delete;

  // The segment of a location that a keystore gave out.
  Segment* Get(uint32_t slot) const {
    return (*chunks_[slot / kChunk].load(std::memory_order_acquire))[slot % kChunk].load(
        std::memory_order_acquire);
  }

  // A slot that nobody else has; nothing if all Location::kMaxSlots are taken.
  std::optional<uint32_t> Reserve() {
    ExclusiveLock lock(mutex_);
    if (!free_.empty()) {
      const uint32_t slot = free_.back();
      free_.pop_back();
      return slot;
    }
    if (end_ == Location::kMaxSlots) return std::nullopt;
    return end_++;
  }
  // Gives back a slot whose segment was never added.
  void Release(uint32_t slot) {
    ExclusiveLock lock(mutex_);
    free_.push_back(slot);
  }

  // Takes the segment in, in the slot that was reserved for it.
  void Add(std::shared_ptr<Segment> segment) {
    ExclusiveLock lock(mutex_);
    std::atomic<Chunk*>& place = chunks_[segment->slot() / kChunk];
    Chunk* chunk = place.load(std::memory_order_relaxed);
    if (chunk == nullptr) {
      chunk = new Chunk();
      place.store(chunk, std::memory_order_release);
    }
    (*chunk)[segment->slot() % kChunk].store(segment.get(), std::memory_order_release);
    const uint64_t id = segment->id();
    segments_.emplace(id, std::move(segment));
  }

  // Lets go of a segment that nobody can find or uses any longer, and of its slot.
  void Remove(const Segment& segment) {
    std::shared_ptr<Segment> removed;  // destroyed without the lock, as it may have to be unmapped
    ExclusiveLock lock(mutex_);
    const uint32_t slot = segment.slot();
    (*chunks_[slot / kChunk].load(std::memory_order_relaxed))[slot % kChunk].store(
        nullptr, std::memory_order_release);
    const auto found = segments_.find(segment.id());
    removed = std::move(found->second);
    segments_.erase(found);
    free_.push_back(slot);
  }

  // The segment with that id, or null.
  std::shared_ptr<Segment> Find(uint64_t id) const {
    SharedLock lock(mutex_);
    const auto found = segments_.find(id);
    return found == segments_.end() ? nullptr : found->second;
  }
  // Its slot; nothing if there is none.
  std::optional<uint32_t> SlotOf(uint64_t id) const {
    SharedLock lock(mutex_);
    const auto found = segments_.find(id);
    if (found == segments_.end()) return std::nullopt;
    return found->second->slot();
  }

  size_t size() const {
    SharedLock lock(mutex_);
    return segments_.size();
  }
  // All of them, by id. Those that are added or removed meanwhile may be missing.
  std::vector<std::shared_ptr<Segment>> All() const {
    std::vector<std::shared_ptr<Segment>> all;
    uint64_t behind = 0;
    for (bool more = true; more;) {
      // A few at a time, as somebody may wait to add a segment under the write lock.
      SharedLock lock(mutex_);
      auto at = segments_.upper_bound(behind);
      for (size_t i = 0; i < kAtOnce && at != segments_.end(); ++i, ++at) {
        behind = at->first;
        all.push_back(at->second);
      }
      more = at != segments_.end();
    }
    return all;
  }

 private:
  static constexpr uint32_t kChunk = 1024;
  static constexpr size_t kAtOnce = 512;
  using Chunk = std::array<std::atomic<Segment*>, kChunk>;

  std::array<std::atomic<Chunk*>, Location::kMaxSlots / kChunk> chunks_ = {};
  mutable ReadMostlyMutex mutex_;
  absl::btree_map<uint64_t, std::shared_ptr<Segment>> segments_ ABSL_GUARDED_BY(mutex_);
  // Slots below end_ that no segment has.
  std::vector<uint32_t> free_ ABSL_GUARDED_BY(mutex_);
  uint32_t end_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_SEGMENT_TABLE_H_
