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
  std::string benchmark;  // unique: the second "load" is called "load 2"
  std::string system;
  std::vector<Measurement> rounds;

  bool Done() const;
  // The reason of the first round that was not done.
  std::string WhyNot() const;
  // The latencies of all rounds in one histogram.
  Histogram Latency() const;
};

struct Report {
  std::string command;
  std::string date;
  Facts machine;
  // The facts that two reports must share to be compared.
  Facts settings;
  std::vector<SystemReport> systems;
  // Ordered by benchmark, then by system, as they ran.
  std::vector<Result> results;

  const Result* Find(std::string_view benchmark, std::string_view system) const;
  // Each name once, in order.
  std::vector<std::string> Benchmarks() const;
};

// The median of some figures and their extremes. For an even number of figures, the median is the
// mean of the middle two.
struct Spread {
  double median = 0;
  double min = 0;
  double max = 0;

  // Half the distance between the extremes, as a share of the median.
  double Relative() const { return median > 0 ? (max - min) / 2 / median : 0; }
};
Spread SpreadOf(std::vector<double> figures);

// Operations per second; seconds for work that is done once.
Spread SpeedOf(const Result& result);

// By how much the last quarter of the time was faster than the one before; see
// Timeline::LastChange. Of the rounds, the one whose change is the median by size. Nothing if a
// round was too short to tell.
std::optional<double> LastChangeOf(const Result& result);

// A greater change means that the figures depend on how long the benchmark ran.
inline constexpr double kUnsteady = 0.1;

// Whether the speed still changed at the end of the rounds, in words.
std::string SteadinessOf(const Result& result);

// What a reader has to know of the figures, or why there are none; empty if there is nothing.
std::string RemarkOn(const Result& result);

// What is shown for each result in addition to its speed. A figure is missing where it cannot be
// counted or has no meaning.
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
// The medians over the rounds.
Resources ResourcesOf(const Result& result);

// The percentiles that are reported.
inline constexpr double kPercentiles[] = {50, 90, 99, 99.9, 99.99};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_REPORT_H_
