// Runs one benchmark with all its threads.

#ifndef RUMCASK_TOOLS_BENCH_RUNNER_H_
#define RUMCASK_TOOLS_BENCH_RUNNER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tools/bench/clock.h"
#include "tools/bench/engine.h"
#include "tools/bench/histogram.h"
#include "tools/bench/measurement.h"
#include "tools/bench/value_sizes.h"
#include "tools/bench/workload.h"

namespace rumcask::bench {

struct RunnerSettings {
  uint64_t key_size = 16;
  ValueSizes value_sizes{100};
  int threads = 1;
  uint64_t sample = 1;
  double target = 0;  // of all threads together
  // Called a few times a second on the waiting thread, with the number of operations done and to do
  // (0 if that is not known). Null: never.
  std::function<void(uint64_t done, uint64_t total)> progress;
};

// For each thread, how many operations its stream gave out.
using Taken = std::vector<uint64_t>;

class Runner {
 public:
  Runner(const RunnerSettings& settings, Clock* clock);

  // Adds what the threads did and how long it took to `*measurement`, which must be new. Leaves the
  // resources out.
  void Run(const Workload& workload, uint64_t seed, const EngineType& type, Engine* engine,
           Taken* taken, Measurement* measurement);

 private:
  // The data of one thread, made before a store is opened, because this memory must not count as
  // the store's.
  struct Desk {
    explicit Desk(const ValueBytes& bytes) : values(bytes) {}
    ValueBytes values;
    Histogram latency;
  };

  const RunnerSettings settings_;
  Clock* const clock_;
  std::vector<Desk> desks_;
};

// Sets the outcome to "not supported", or to "failed" with the error.
void SetOutcome(const absl::Status& status, Measurement* measurement);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_RUNNER_H_
