// Random numbers of which a few are popular.

#ifndef RUMCASK_TOOLS_BENCH_ZIPF_H_
#define RUMCASK_TOOLS_BENCH_ZIPF_H_

#include <cstdint>

#include "tools/bench/random.h"

namespace rumcask::bench {

// The generalised harmonic number: the sum of 1 / i^theta for i from 1 to n, theta below 1.
double Zeta(uint64_t n, double theta);

// Ranks in [0, items) with frequencies proportional to 1 / (rank + 1)^theta, by the method of Gray
// et al., "Quickly generating billion-record synthetic databases" (1994), which YCSB uses, too. It
// is exact for ranks 0 and 1; for the others it replaces the sum by an integral.
class Zipf {
 public:
  // YCSB's constant.
  static constexpr double kTheta = 0.99;

  // `theta` must be above 0 and below 1, and `items` at least 1.
  Zipf(uint64_t items, double theta);

  uint64_t Next(Random* random) const;

  // Adds one item, which is the least popular.
  void Grow();

  uint64_t items() const { return items_; }

 private:
  void Update();

  const double theta_;
  uint64_t items_;
  double zeta_items_;
  const double second_;  // 1 / 2^theta
  const double alpha_;
  double eta_ = 0;
};

// Popular numbers that are scattered over [0, items) as by YCSB's scrambled Zipfian generator:
// ranks among 10^10, hashed. Which numbers are popular does not change with the number of items.
class ScrambledZipf {
 public:
  ScrambledZipf(uint64_t items, double theta) : items_(items), ranks_(kRanks, theta) {}

  uint64_t Next(Random* random) const { return Scatter(ranks_.Next(random) + 1) % items_; }

 private:
  static constexpr uint64_t kRanks = 10000000000;

  const uint64_t items_;
  const Zipf ranks_;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_ZIPF_H_
