// How much of a compaction job is done.

#ifndef RUMCASK_CORE_COMPACTION_JOB_PROGRESS_H_
#define RUMCASK_CORE_COMPACTION_JOB_PROGRESS_H_

#include <algorithm>
#include <cstdint>

#include "core/log/segment.h"
#include "core/log/space.h"

namespace rumcask {

// Counts in nanoseconds of a typical machine. Only their ratios matter.
class JobProgress {
 public:
  enum Kind { kLookedUp, kCopied, kMoved };

  // A victim that will be read.
  void Expect(const Segment& victim) {
    const auto records = static_cast<double>(victim.records.load(std::memory_order_relaxed));
    const auto live = static_cast<double>(Space::LiveBytes(victim));
    const double bytes = std::max(1.0, static_cast<double>(victim.end() - kSegmentHeaderBytes));
    expected_ += records * kCosts[kLookedUp] + live * kCosts[kCopied] +
                 records * std::min(1.0, live / bytes) * kCosts[kMoved];
  }
  // Returns whether the share has changed by enough to be told.
  bool Add(Kind kind, uint64_t count) {
    done_ += static_cast<double>(count) * kCosts[kind];
    if (done_ - told_ < kTold) return false;
    told_ = done_;
    return true;
  }
  // 0 to 1.
  double share() const { return expected_ <= 0 ? 0 : std::min(1.0, done_ / expected_); }

 private:
  static constexpr double kCosts[] = {150, 1.5, 300};
  static constexpr double kTold = 200e3;

  double expected_ = 0;
  double done_ = 0;
  double told_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_COMPACTION_JOB_PROGRESS_H_
