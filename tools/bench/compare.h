// Whether one run was slower than another.

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
    kUnclear,  // it is not, but the bands overlap: more rounds, or a quieter machine
    kBetter,
    kWorse,
    kOnce,          // of something that is done once a round, like closing: too rough to be judged
    kTooFewRounds,  // one of the runs has less than kMinRounds
    kMissing,       // done in one run only
  };
  // A band of n rounds does not overlap another by chance alone in one of C(2n, n) cases on one
  // side: 1 of 20 for three rounds, 1 of 252 for five.
  static constexpr int kMinRounds = 3;

  std::string benchmark;
  std::string system;
  std::string figure;  // "operations/s", "seconds" or "p99 ns"
  Spread before;
  Spread after;
  double change = 0;  // of the median, as a share; positive is better
  Verdict verdict = Verdict::kSame;
};

// Each result of `before` and `after` by benchmark and system. Of closed loops the speed is
// compared, of open ones the 99th percentile of the response times. Worse or better is what changed
// by more than `threshold` and whose bands, from the slowest to the fastest round, do not overlap.
// What is done once a round is shown and not judged.
// FailedPrecondition if the settings differ, since then the work was another.
absl::StatusOr<std::vector<Comparison>> Compare(const Report& before, const Report& after,
                                                double threshold);

bool AnyWorse(const std::vector<Comparison>& comparisons);

std::string ComparisonTable(const Report& before, const Report& after,
                            const std::vector<Comparison>& comparisons);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_COMPARE_H_
