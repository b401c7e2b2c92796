// Collects the rounds of all comparisons and prints the table of ratios.

#ifndef RUMCASK_TOOLS_BENCH_STORE_RATIO_REPORT_H_
#define RUMCASK_TOOLS_BENCH_STORE_RATIO_REPORT_H_

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"

#include "tools/bench/store/comparison.h"

namespace rumcask::bench {

// Registers with Google Benchmark `rounds` benchmarks NAME/store/ROUND and NAME/yardstick/ROUND,
// whose figures are counters, in the order in which they shall run: a round of the store beside one
// of the yardstick, each first in every other round, so that what drifts on the machine meets both.
class RatioReport {
 public:
  RatioReport(Comparisons comparisons, int rounds);
  RatioReport(const RatioReport&) = delete;
  RatioReport& operator=(const RatioReport&) = delete;

  // What each side of the comparisons that have run does, and then a line for each: medians, and
  // the ratio's median and extremes over the rounds. Returns whether all budgets are met.
  bool Print(std::FILE* out) const;

 private:
  struct Rounds {
    std::map<int, double> store;
    std::map<int, double> yardstick;
  };

  void Register(size_t comparison, bool is_store, int round);
  bool PrintLine(const Comparison& comparison, const Rounds& rounds, std::FILE* out) const;

  const Comparisons comparisons_;
  std::vector<Rounds> rounds_;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_STORE_RATIO_REPORT_H_
