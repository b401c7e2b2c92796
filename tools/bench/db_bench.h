// The benchmarks that db_bench of LevelDB and RocksDB has made known.

#ifndef RUMCASK_TOOLS_BENCH_DB_BENCH_H_
#define RUMCASK_TOOLS_BENCH_DB_BENCH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "tools/bench/workload.h"

namespace rumcask::bench {

// The flags of the same names.
struct DbBenchSettings {
  uint64_t num = 1000000;
  std::optional<uint64_t> reads;  // num if not given
  std::optional<uint64_t> batch_size;
  uint64_t seek_nexts = 0;
  double duration = 0;
  double writer_rate = 0;
  bool sync = false;
  bool use_existing_db = false;
};

// The known names, in a sensible order.
std::vector<std::string> DbBenchNames();

// The benchmarks of a list such as "fillseq,readrandom". InvalidArgument naming the first unknown
// one.
absl::StatusOr<std::vector<Workload>> DbBenchWorkloads(std::string_view list,
                                                       const DbBenchSettings& settings);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_DB_BENCH_H_
