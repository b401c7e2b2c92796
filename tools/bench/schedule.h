// All rounds of all stores.

#ifndef RUMCASK_TOOLS_BENCH_SCHEDULE_H_
#define RUMCASK_TOOLS_BENCH_SCHEDULE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "tools/bench/clock.h"
#include "tools/bench/engine.h"
#include "tools/bench/pass.h"
#include "tools/bench/report.h"

namespace rumcask::bench {

struct Schedule {
  // For every store, but for the path.
  PassSettings pass;
  std::vector<EngineType> systems;
  int rounds = 1;
  // Holds a directory for each store.
  std::string directory;
  // Each pass in a process of its own.
  bool isolate = true;
  // Whether to leave the stores of the last round.
  bool keep = false;
  // A line for the terminal, or an empty one for none. May be null.
  std::function<void(const std::string& line)> show;
};

// Round after round, and in each round one store after the other, another one first each time: what
// slows the machine down for a while hits them all. Appends to report->systems and report->results;
// a store that fails does not stop the others.
void RunSchedule(const Schedule& schedule, Clock* clock, Report* report);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_SCHEDULE_H_
