// The most memory that this process has had.

#ifndef RUMCASK_TOOLS_ADVISE_PEAK_MEMORY_H_
#define RUMCASK_TOOLS_ADVISE_PEAK_MEMORY_H_

#include <atomic>
#include <cstdint>
#include <thread>

#include "tools/bench/process_counters.h"

namespace rumcask::advise {

// Looks at the anonymous memory of this process several hundred times a second, in a thread of its
// own, because buffers come and go within milliseconds, and while callers wait.
class PeakMemory {
 public:
  PeakMemory();
  ~PeakMemory();
  PeakMemory(const PeakMemory&) = delete;
  PeakMemory& operator=(const PeakMemory&) = delete;

  // Beyond what there was when this object was made.
  uint64_t now() const;
  uint64_t peak() const { return peak_.load(std::memory_order_relaxed); }

 private:
  void Watch();

  const bench::ProcessCounters counters_;
  const uint64_t before_;
  std::atomic<uint64_t> peak_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_PEAK_MEMORY_H_
