// How much of each segment is live: the bytes of the records that are the newest of their keys.

#ifndef RUMCASK_CORE_LOG_SPACE_H_
#define RUMCASK_CORE_LOG_SPACE_H_

#include <atomic>
#include <cstdint>

#include "absl/base/attributes.h"

#include "core/log/segment.h"
#include "core/log/segment_table.h"
#include "core/plugin/location.h"

namespace rumcask {

// The only code that changes a segment's live bytes. Reading them is thread-safe. They change in
// two phases: while the database is opened, by many threads; later, under the write lock.
class Space {
 public:
  // `table` must outlive it.
  explicit Space(const SegmentTable* table) : table_(table) {}

  // Bytes of live records in a segment. An upper bound if they are not exact().
  static uint64_t LiveBytes(const Segment& segment) {
    return segment.live_bytes_.load(std::memory_order_relaxed);
  }
  // False: replaced records are counted as live until an index on disk reports them.
  bool exact() const { return exact_; }

  // ---- while opening ----

  // A record was found that may be its key's newest.
  static void CreditFound(Segment* segment, uint64_t bytes) {
    segment->live_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }
  // A record that was credited is not its key's newest.
  void DebitFound(Location location) const {
    Segment* const segment = table_->Get(location.slot());
    segment->live_bytes_.fetch_sub(segment->RecordBytesAt(location), std::memory_order_relaxed);
  }
  // What an index on disk has noted.
  static void Set(Segment* segment, uint64_t bytes) {
    segment->live_bytes_.store(bytes, std::memory_order_relaxed);
  }
  // Nobody knows: every record counts as live.
  void SetToBound() {
    exact_ = false;
    for (const auto& segment : table_->All()) {
      Set(segment.get(), segment->end() - kSegmentHeaderBytes);
    }
  }

  // ---- under the write lock ----

  // A record was written, or moved to `location`.
  void Credit(Location location, uint64_t bytes) const { Add(table_->Get(location.slot()), bytes); }
  // The record at `location` was replaced. Inlined, as every overwrite does it.
  ABSL_ATTRIBUTE_ALWAYS_INLINE void Debit(Location location) const {
    if (!location.exists()) return;
    Segment* const segment = table_->Get(location.slot());
    Add(segment, uint64_t{0} - segment->RecordBytesAt(location));
  }
  // Records of so many bytes in the segment of that slot were replaced.
  void Debit(uint32_t slot, uint64_t bytes) const { Add(table_->Get(slot), uint64_t{0} - bytes); }

 private:
  static void Add(Segment* segment, uint64_t bytes) {
    std::atomic<uint64_t>& live = segment->live_bytes_;
    live.store(live.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
  }

  const SegmentTable* const table_;
  bool exact_ = true;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_SPACE_H_
