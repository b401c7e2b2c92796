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

// Registers `rounds` benchmarks NAME/store/ROUND and NAME/yardstick/ROUND with Google Benchmark,
// with the figures as counters, in the order in which they are to run. Each round of the store is
// next to one of the yardstick, and each of them is first in every second round, so that changes of
// the machine affect both.
class RatioReport {
 public:
  RatioReport(Comparisons comparisons, int rounds);
  RatioReport(const RatioReport&) = delete;
  RatioReport& operator=(const RatioReport&) = delete;

  // Prints what each side of the comparisons does, and then a line for each comparison with medians
  // and with the ratio's median and extremes over the rounds. Returns whether all budgets are met.
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
