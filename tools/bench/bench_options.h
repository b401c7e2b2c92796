// The flags of the benchmark tool.

#ifndef RUMCASK_TOOLS_BENCH_BENCH_OPTIONS_H_
#define RUMCASK_TOOLS_BENCH_BENCH_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "tools/bench/engine.h"
#include "tools/bench/report.h"
#include "tools/bench/schedule.h"
#include "tools/cli/command_line.h"

namespace rumcask::bench {

struct BenchOptions {
  std::string benchmarks;  // names as in db_bench; or
  std::string workload;    // a workload of YCSB
  std::vector<std::string> property_files;
  std::vector<std::string> properties;

  std::string keystore = "hash";
  std::string systems;

  uint64_t num = 1000000;
  uint64_t reads = 0;       // 0 means num
  uint64_t batch_size = 0;  // 0 means each benchmark's default
  uint64_t seek_nexts = 0;
  uint64_t threads = 1;
  uint64_t key_size = 16;
  std::string value_size = "100";
  double duration = 0;
  double target = 0;
  double writer_rate = 0;
  uint64_t seed = 42;
  uint64_t rounds = 3;
  uint64_t sample = 8;
  uint64_t cache_size = 0;         // 0 means twice the data
  double space_amplification = 0;  // 0 means the store's own
  bool sync = false;
  bool cold = false;
  bool use_existing_db = false;
  bool histogram = false;
  std::string db;
  std::string format = "table";
  std::string report;  // file for the page, or empty
};

// `systems` are the stores, in addition to keystores, whose names --systems knows.
void DeclareFlags(const std::vector<EngineType>& systems, cli::CommandLine* line,
                  BenchOptions* options);

// Converts the flags to a schedule, except for the directory. `systems` are those that may be
// requested. Errors are InvalidArgument and mean wrong usage.
absl::StatusOr<Schedule> ScheduleOf(const BenchOptions& options,
                                    const std::vector<EngineType>& systems);

// The settings that must be equal for two runs to be compared.
Facts SettingsFacts(const BenchOptions& options, const Schedule& schedule);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_BENCH_OPTIONS_H_
