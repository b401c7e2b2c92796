// Runs all benchmarks of a run on one store, once.

#ifndef RUMCASK_TOOLS_BENCH_PASS_H_
#define RUMCASK_TOOLS_BENCH_PASS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "tools/bench/child_process.h"
#include "tools/bench/clock.h"
#include "tools/bench/engine.h"
#include "tools/bench/live_keys.h"
#include "tools/bench/measurement.h"
#include "tools/bench/process_counters.h"
#include "tools/bench/runner.h"
#include "tools/bench/workload.h"

namespace rumcask::bench {

struct PassSettings {
  RunnerSettings runner;
  std::vector<Workload> workloads;
  uint64_t seed = 0;
  // The store exists already and is not filled.
  bool use_existing = false;
  // Before each benchmark that does not begin with an empty store, closes the store, drops it from
  // the page cache and opens it again.
  bool cold = false;
  EngineSettings engine;
  // Called with the name of each benchmark before it begins. May be null.
  std::function<void(const std::string& benchmark)> announce;
};

class Pass {
 public:
  Pass(const PassSettings& settings, const EngineType& type, Clock* clock);

  // To be called once, in a process with one thread. Returns one measurement for each workload, and
  // a last one called "close": how long closing took, what is on the disk afterwards, and what all
  // benchmarks since the store was last empty wrote.
  std::vector<Measurement> Run();

 private:
  absl::Status Open();
  absl::Status Close();
  // Brings the store to the state with which the workload begins.
  absl::Status Ready(const Workload& workload, std::string* remark);
  void Measure(size_t i, Measurement* measurement);
  uint64_t SeedOf(size_t i) const;
  // False: the store does not count.
  bool Written(WrittenBytes* written);
  void MeasureOnce(absl::Status (Pass::*body)(), Measurement* measurement);
  absl::Status Compact();
  // Makes the processes that will not close the store.
  absl::Status MakeCareless();
  void MeasureOpenUnclean(const Workload& workload, uint64_t seed, WaitingChild* careless,
                          Measurement* measurement);
  // The work of such a process.
  std::string WriteAndLeave(const Workload& workload, uint64_t seed) const;
  RunnerSettings Watching(RunnerSettings settings);
  void MeasureClose(Measurement* measurement);
  void Account(const Workload& workload, uint64_t seed, const Taken& taken,
               Measurement* measurement);
  void AddUsage(const ProcessCounts& before, Measurement* measurement) const;
  void AddState(Measurement* measurement) const;
  void AddMemory(uint64_t anonymous_bytes, Measurement* measurement) const;

  const PassSettings settings_;
  const EngineType type_;
  Clock* const clock_;
  Runner runner_;
  // Allocated here, because this memory must not count as the store's.
  std::vector<Measurement> measurements_;
  const ProcessCounters counters_;
  const uint64_t memory_before_;
  std::unique_ptr<Engine> engine_;
  LiveKeys live_;
  // The counts at the time when the store was last empty.
  ProcessCounts since_empty_;
  uint64_t written_bytes_ = 0;
  uint64_t put_bytes_ = 0;
  uint64_t puts_ = 0;
  uint64_t careless_device_bytes_ = 0;  // written by other processes
  // The maximum of anonymous memory since the benchmark began.
  uint64_t peak_memory_ = 0;
  // Keyed by the number of the workload.
  std::map<size_t, std::unique_ptr<WaitingChild>> careless_;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_PASS_H_
