// Random numbers that are the same on every machine and with every library.

#ifndef RUMCASK_TOOLS_BENCH_RANDOM_H_
#define RUMCASK_TOOLS_BENCH_RANDOM_H_

#include <cstdint>

namespace rumcask::bench {

// A bijection that scatters its argument: the finalizer of SplitMix64.
inline uint64_t Scatter(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// SplitMix64. It is small and fast, so that its cost is negligible beside what is measured.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15;
    return Scatter(state_);
  }

  // Uniform in [0, bound); 0 if bound is 0. Its bias is below bound / 2^64.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
  }

  // Uniform in [0, 1).
  double NextDouble() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_RANDOM_H_
