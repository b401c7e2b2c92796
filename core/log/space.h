// How much of each segment is live: the bytes of the records that are the newest of their keys.

#ifndef RUMCASK_CORE_LOG_SPACE_H_
#define RUMCASK_CORE_LOG_SPACE_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>

#include "absl/base/attributes.h"

#include "core/log/segment.h"
#include "core/log/segment_table.h"
#include "core/plugin/location.h"

namespace rumcask {

// The only code that changes a segment's live bytes. Reading is thread-safe. They change in two
// phases: while the database is opened, by many threads; later, under the write lock.
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

  // If not exact: whether what is live was counted before the opening.
  bool counted() const { return counted_; }

  // How many bytes of records have been written since the opening, and how many have died, which
  // tombstones do at once. What compaction moves counts as neither.
  uint64_t born() const { return born_.load(std::memory_order_relaxed); }
  uint64_t died() const { return died_.load(std::memory_order_relaxed); }
  // How many of those that died are only assumed to have. They still count as live in segments.
  uint64_t assumed() const { return assumed_.load(std::memory_order_relaxed); }

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
  // An index that does not report what is replaced has noted what was live, by the id of the
  // segment, when that was counted last. Of segments that it does not name every record counts as
  // live, but what users wrote is assumed to have replaced as much. Where nothing was noted,
  // nothing is assumed.
  void SetToBound(const std::map<uint64_t, uint64_t>& noted) {
    exact_ = false;
    counted_ = !noted.empty();
    for (const auto& segment : table_->All()) {
      const uint64_t records = segment->end() - kSegmentHeaderBytes;
      const auto known = noted.find(segment->id());
      Set(segment.get(), known == noted.end() ? records : std::min(known->second, records));
      if (counted_ && known == noted.end() && segment->stream() == Stream::kUser) {
        AssumeDead(records);
      }
    }
  }

  // ---- under the write lock ----

  // A put was written.
  void Credit(Location location, uint64_t bytes) {
    Add(&table_->Get(location.slot())->live_bytes_, bytes);
    Add(&born_, bytes);
  }
  // A tombstone was written.
  void CreditTombstone(Location location, uint64_t bytes) {
    Add(&table_->Get(location.slot())->tombstone_bytes, bytes);
    Add(&born_, bytes);
    Add(&died_, bytes);
  }
  // So much was written, and what it replaced is not known yet: as much, it is assumed.
  void AssumeDead(uint64_t bytes) {
    Add(&assumed_, bytes);
    Add(&died_, bytes);
  }
  // What a record takes that is deleted and not known.
  uint64_t average() const { return average_.load(std::memory_order_relaxed); }
  void NoteAverage(uint64_t bytes) { average_.store(bytes, std::memory_order_relaxed); }
  // It is known now.
  void WithdrawAssumption(uint64_t bytes) {
    Add(&assumed_, uint64_t{0} - bytes);
    Add(&died_, uint64_t{0} - bytes);
  }
  // The record at `location` was replaced. Inlined, as every overwrite does it.
  ABSL_ATTRIBUTE_ALWAYS_INLINE void Debit(Location location) {
    if (!location.exists()) return;
    Segment* const segment = table_->Get(location.slot());
    const uint64_t bytes = segment->RecordBytesAt(location);
    Add(&segment->live_bytes_, uint64_t{0} - bytes);
    Add(&died_, bytes);
  }
  // Records of so many bytes in the segment of that slot were replaced.
  void Debit(uint32_t slot, uint64_t bytes) {
    Add(&table_->Get(slot)->live_bytes_, uint64_t{0} - bytes);
    Add(&died_, bytes);
  }
  // A live record was copied.
  void CreditCopy(Location to, uint64_t bytes) const {
    Add(&table_->Get(to.slot())->live_bytes_, bytes);
  }
  // Its original is not needed any longer.
  void DebitOriginal(Location from, uint64_t bytes) const {
    Add(&table_->Get(from.slot())->live_bytes_, uint64_t{0} - bytes);
  }
  // So many of the bytes that count as live in the segment are not.
  static void Correct(Segment* segment, uint64_t dead) {
    Set(segment, LiveBytes(*segment) - std::min(dead, LiveBytes(*segment)));
  }

 private:
  // Only one thread at a time adds.
  static void Add(std::atomic<uint64_t>* sum, uint64_t bytes) {
    sum->store(sum->load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
  }

  const SegmentTable* const table_;
  bool exact_ = true;
  bool counted_ = false;
  std::atomic<uint64_t> born_{0};
  std::atomic<uint64_t> died_{0};
  std::atomic<uint64_t> assumed_{0};
  std::atomic<uint64_t> average_{0};
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_SPACE_H_
