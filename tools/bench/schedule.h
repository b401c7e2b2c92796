// Runs all rounds of all stores.

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
  // For every store, except for the path.
  PassSettings pass;
  std::vector<EngineType> systems;
  int rounds = 1;
  // Contains a directory for each store.
  std::string directory;
  // Run each pass in a separate process.
  bool isolate = true;
  // Keep the stores of the last round.
  bool keep = false;
  // Shows a line on the terminal, or removes it if the text is empty. May be null.
  std::function<void(const std::string& line)> show;
};

// Runs round after round, and in each round one store after the other, beginning with a different
// one each time, so that whatever slows the machine down for a while affects all of them. Appends
// to report->systems and report->results. If a store fails, the others still run.
void RunSchedule(const Schedule& schedule, Clock* clock, Report* report);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_SCHEDULE_H_
