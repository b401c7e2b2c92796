// Keeps a stream of bytes to a rate.

#ifndef RUMCASK_CORE_COMPACTION_THROTTLE_H_
#define RUMCASK_CORE_COMPACTION_THROTTLE_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace rumcask {

// Not thread-safe.
class Throttle {
 public:
  // A rate of 0 is none. `stopped` must outlive it; when it is true nothing waits any more.
  Throttle(uint64_t bytes_per_second, const std::atomic<bool>& stopped)
      : bytes_per_second_(bytes_per_second), stopped_(stopped) {}

  // Returns when so many bytes more are due. To be called without locks that others wait for, and
  // not in a ReaderScope.
  void Spend(uint64_t bytes) {
    if (bytes_per_second_ == 0) return;
    if (spent_ == 0) begin_ = std::chrono::steady_clock::now();
    spent_ += bytes;
    const std::chrono::duration<double> due(static_cast<double>(spent_) /
                                            static_cast<double>(bytes_per_second_));
    while (!stopped_.load(std::memory_order_acquire)) {
      const std::chrono::duration<double> left = due - (std::chrono::steady_clock::now() - begin_);
      // Shorter sleeps than this would last longer than asked for.
      if (left < std::chrono::milliseconds(1)) return;
      std::this_thread::sleep_for(
          std::min<std::chrono::duration<double>>(left, std::chrono::milliseconds(20)));
    }
  }

 private:
  const uint64_t bytes_per_second_;
  const std::atomic<bool>& stopped_;
  std::chrono::steady_clock::time_point begin_;
  uint64_t spent_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_COMPACTION_THROTTLE_H_
