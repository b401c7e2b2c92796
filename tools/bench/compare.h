// Decides whether one run was slower than another.

#ifndef RUMCASK_TOOLS_BENCH_COMPARE_H_
#define RUMCASK_TOOLS_BENCH_COMPARE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "tools/bench/report.h"

namespace rumcask::bench {

struct Comparison {
  enum class Verdict {
    kSame,     // the change is below the threshold
    kUnclear,  // the change is not, but the bands overlap: use more rounds, or a quieter machine
    kBetter,
    kWorse,
    kOnce,          // done once a round, like closing, so too rough to be judged
    kTooFewRounds,  // one of the runs has fewer than kMinRounds rounds
    kMissing,       // done in only one of the runs
  };
  // The probability that two bands of n rounds do not overlap, to one side, by chance alone is 1 in
  // C(2n, n): 1 in 20 for three rounds, 1 in 252 for five.
  static constexpr int kMinRounds = 3;

  std::string benchmark;
  std::string system;
  std::string figure;  // "operations/s", "seconds" or "p99 ns"
  Spread before;
  Spread after;
  double change = 0;  // of the median, as a share; positive is better
  Verdict verdict = Verdict::kSame;
};

// Compares the results of `before` and `after` by benchmark and system. For closed loops it
// compares the speed, for open loops the 99th percentile of the response times. A result is worse
// or better if it changed by more than `threshold` and if the bands from the slowest to the fastest
// round do not overlap. Results of work that is done once a round are shown but not judged.
// FailedPrecondition if the settings differ, because then the work was different.
absl::StatusOr<std::vector<Comparison>> Compare(const Report& before, const Report& after,
                                                double threshold);

// "better", "WORSE", "unclear", ...
std::string VerdictText(Comparison::Verdict verdict);

// In what the machines of two runs differ: "memory: 8 GiB and 16 GiB; ..."; empty if in nothing.
std::string MachineDifferences(const Report& before, const Report& after);

bool AnyWorse(const std::vector<Comparison>& comparisons);

std::string ComparisonTable(const Report& before, const Report& after,
                            const std::vector<Comparison>& comparisons);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_COMPARE_H_
