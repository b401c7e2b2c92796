// Results made by hand, for tests of what is made of them.

#ifndef RUMCASK_TOOLS_BENCH_EXAMPLE_RESULTS_H_
#define RUMCASK_TOOLS_BENCH_EXAMPLE_RESULTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tools/bench/measurement.h"
#include "tools/bench/report.h"

namespace rumcask::bench {

// A million puts. One call in a thousand took a hundred times as long as the others, which took
// `latency` nanoseconds.
inline Measurement Round(const std::string& benchmark, double seconds, uint64_t latency) {
  Measurement m;
  m.benchmark = benchmark;
  m.operations = 1000000;
  m.puts = 1000000;
  m.seconds = seconds;
  m.written_bytes = 116000000;
  m.work = 0xabc;
  m.cpu_seconds = seconds;
  m.device_bytes = 150000000;
  m.memory_bytes = 36000000;
  m.peak_memory_bytes = 40000000;
  m.disk_bytes = 174000000;
  m.live_keys = 1000000;
  m.live_bytes = 116000000;
  for (int i = 0; i < 999; ++i) m.latency.Record(latency);
  m.latency.Record(100 * latency);
  return m;
}

// A measurement for each of the times, in seconds.
inline Result Rounds(const std::string& benchmark, const std::string& system,
                     const std::vector<double>& seconds) {
  Result result = {benchmark, system, {}};
  for (const double s : seconds) result.rounds.push_back(Round(benchmark, s, 500));
  return result;
}

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_EXAMPLE_RESULTS_H_
