// The results of a run, and what one must know to judge them.

#ifndef RUMCASK_TOOLS_BENCH_REPORT_H_
#define RUMCASK_TOOLS_BENCH_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "tools/bench/histogram.h"
#include "tools/bench/measurement.h"

namespace rumcask::bench {

// Named facts in the order in which they are shown.
using Facts = std::vector<std::pair<std::string, std::string>>;

struct SystemReport {
  std::string name;
  std::string library;
  std::string assertions;
  std::string options;
  std::string durability;
};

// One benchmark on one store: a measurement for each round.
struct Result {
  std::string benchmark;  // unique: the second "load" is "load 2"
  std::string system;
  std::vector<Measurement> rounds;

  bool Done() const;
  // Why not, of the first round that was not done.
  std::string WhyNot() const;
  // All rounds' latencies in one.
  Histogram Latency() const;
};

struct Report {
  std::string command;
  std::string date;
  Facts machine;
  // Those two reports must share to be compared.
  Facts settings;
  std::vector<SystemReport> systems;
  // By benchmark, then by system, in the order they ran.
  std::vector<Result> results;

  const Result* Find(std::string_view benchmark, std::string_view system) const;
  // Each once, in order.
  std::vector<std::string> Benchmarks() const;
};

// The middle of some figures and their extremes; the mean of the middle two if they are even.
struct Spread {
  double median = 0;
  double min = 0;
  double max = 0;

  // Half the distance of the extremes, as a share of the median.
  double Relative() const { return median > 0 ? (max - min) / 2 / median : 0; }
};
Spread SpreadOf(std::vector<double> figures);

// Operations per second, or of what is done once, seconds.
Spread SpeedOf(const Result& result);

// What is told of each result beside its speed; none where it cannot be counted or means nothing.
struct Resources {
  std::optional<double> memory_per_key;
  std::optional<double> peak_memory_per_key;
  std::optional<double> disk_bytes;
  std::optional<double> device_bytes;
  std::optional<double> write_amplification;
  std::optional<double> space_amplification;
  std::optional<double> cpu_nanoseconds;  // per operation
  std::optional<double> system_calls;     // per operation
  std::optional<double> instructions;     // per operation
};
Resources ResourcesOf(const Measurement& measurement);
// Medians over the rounds.
Resources ResourcesOf(const Result& result);

// The percentiles that are reported.
inline constexpr double kPercentiles[] = {50, 90, 99, 99.9, 99.99};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_REPORT_H_
