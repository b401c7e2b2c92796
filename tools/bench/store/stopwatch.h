// Time per operation.

#ifndef RUMCASK_TOOLS_BENCH_STORE_STOPWATCH_H_
#define RUMCASK_TOOLS_BENCH_STORE_STOPWATCH_H_

#include <chrono>
#include <cstdint>

namespace rumcask::bench {

// Runs from its construction.
class Stopwatch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  double NanosecondsEach(uint64_t operations) const {
    return Seconds() * 1e9 / static_cast<double>(operations);
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_STORE_STOPWATCH_H_
