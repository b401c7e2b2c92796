// Tells which of two records is the newer one, where the number of one is not at hand.
//
// A keystore in memory holds locations and no numbers, and key tables are loaded in parallel, in
// any order. Of two records in the user's stream, the one at the later place is newer. Survivors
// lie behind newer records, so for them numbers count:
//
// - The number of a record in a user's segment is known within bounds: all of the user's records
//   with numbers between the segment's first and last were written to this segment. A survivor's
//   number outside of them decides. One within them belongs to a copy of a record of this very
//   segment, which is a victim that was not retired yet.
// - The numbers in a survivor ascend with the offsets, so that a sample of them gives bounds.
//
// Only a number within the bounds has the record read, which is rare.

#ifndef RUMCASK_CORE_INDEX_RECORD_ORDER_H_
#define RUMCASK_CORE_INDEX_RECORD_ORDER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/format/format.h"
#include "core/log/log.h"
#include "core/plugin/location.h"
#include "core/segment/segment_file.h"
#include "core/system/file_system.h"
#include "core/system/mutex.h"

namespace rumcask {

// Some of the numbers in a survivor, with their records' offsets, both ascending.
class NumberSample {
 public:
  // Is given each record that has a number, in order.
  void Add(uint64_t sequence, uint64_t offset) {
    if (records_++ % kEvery == 0) places_.emplace_back(offset, sequence);
    last_ = sequence;
  }
  // The lowest and the highest number that the record at `offset` can have.
  std::pair<uint64_t, uint64_t> Bounds(uint64_t offset) const;

 private:
  static constexpr uint64_t kEvery = 64;

  uint64_t records_ = 0;
  uint64_t last_ = 0;
  std::vector<std::pair<uint64_t, uint64_t>> places_;
};

class RecordOrder {
 public:
  // Both must outlive it.
  RecordOrder(Directory* directory, const Log* log) : directory_(directory), log_(log) {}

  // What is known of a segment. To be called for each survivor before IsNewer is asked about one of
  // its records; of a user's segment nothing need be known. Not thread-safe.
  void SetUser(uint32_t slot, uint64_t first_sequence, uint64_t last_sequence) {
    Of(slot).stream = Stream::kUser;
    Of(slot).first = first_sequence;
    Of(slot).last = last_sequence;
  }
  void SetSurvivor(uint32_t slot) { Of(slot).stream = Stream::kSurvivor; }
  // To be called before any of the survivor's records is given to IsNewer. Others may be asked
  // about meanwhile.
  void SetSample(uint32_t slot, NumberSample sample) { segments_[slot].sample = std::move(sample); }
  // Reads a sample from the survivor's key table or, if that is damaged, its records up to `end`.
  absl::Status ReadSample(uint32_t slot, SegmentFile* file, uint64_t end);

  // Whether the record with that number, at `a`, is newer than the one at `b`. Of copies with the
  // same number, the one in the later segment counts as newer. Thread-safe.
  bool IsNewer(uint64_t a_sequence, Location a, Location b) const;
  // Whether it has a higher number.
  bool HasHigherNumber(uint64_t a_sequence, Location a, Location b) const {
    return Compare(a_sequence, a, b) > 0;
  }

  // How many records had to be read.
  uint64_t records_read() const { return records_read_.load(std::memory_order_relaxed); }

 private:
  struct Segment {
    Stream stream = Stream::kUser;
    uint64_t first = 0;
    uint64_t last = UINT64_MAX;
    NumberSample sample;
  };

  Segment& Of(uint32_t slot) {
    if (slot >= segments_.size()) segments_.resize(slot + 1);
    return segments_[slot];
  }
  // Negative, 0 or positive, as the number at `a` is lower, the same or higher.
  int Compare(uint64_t a_sequence, Location a, Location b) const;
  const Segment& Get(uint32_t slot) const {
    return slot < segments_.size() ? segments_[slot] : unknown_;
  }
  // The number of the record there, from its header or, if it is damaged, from the key table; 0 if
  // neither tells.
  uint64_t ReadNumber(Location location) const;
  absl::StatusOr<uint64_t> ReadNumberFrom(SegmentFile* file, uint64_t offset) const;

  Directory* const directory_;
  const Log* const log_;
  std::vector<Segment> segments_;  // by slot
  const Segment unknown_;
  mutable std::atomic<uint64_t> records_read_{0};
  // The file that was read last, as the records of a victim are asked about in a row.
  mutable Mutex mutex_;
  mutable std::unique_ptr<SegmentFile> file_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_RECORD_ORDER_H_
