// The store against its budgets. Each operation runs beside a yardstick in the same process, which
// gets the same keys, computes the same digests and checksums, and does only what is necessary.
//
//   bazel run -c opt //tools/bench/store:store_benchmark -- --db=/path/on/the/disk
//       [--keys=5000000] [--rounds=5] [--benchmark_filter=^get]
//
// A whole run takes some three minutes, 4 GB of memory and 6 GB of disk. Comparisons run one after
// the other, each in rounds that alternate between store and yardstick. The program prints the
// figures as they come, and at the end what was compared, the medians, and how many times faster
// the store is, with the spread over the rounds. Exits with 2 if a budget is exceeded and --enforce
// is given.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "benchmark/benchmark.h"

#include "tools/bench/store/comparison.h"
#include "tools/bench/store/fatal.h"
#include "tools/bench/store/loaded_stores.h"
#include "tools/bench/store/ratio_report.h"
#include "tools/bench/store/workloads.h"

ABSL_FLAG(
    std::string, db, "/tmp/rumcask_store_benchmark",
    "directory for the databases, made if need be; what the benchmark makes in it is removed");
ABSL_FLAG(uint64_t, keys, 5000000, "keys in the store");
ABSL_FLAG(int, rounds, 5, "rounds of each side of each comparison");
ABSL_FLAG(bool, enforce, false, "exit with 2 if a budget is missed");

int main(int argc, char** argv) {
  using rumcask::bench::Comparisons;
  absl::SetProgramUsageMessage("Measures rumcask against its budgets.");
  benchmark::Initialize(&argc, argv);
  absl::ParseCommandLine(argc, argv);
  const std::string directory = absl::GetFlag(FLAGS_db);
  const uint64_t keys = absl::GetFlag(FLAGS_keys);
  if (keys < 1000) rumcask::bench::Die("--keys must be at least 1000");
  std::filesystem::create_directories(directory);
#ifndef NDEBUG
  std::fprintf(stderr, "warning: built without optimization or with assertions\n");
#endif

  rumcask::bench::LoadedStores stores(directory, keys);
  Comparisons comparisons;
  AddPutComparisons(&stores, &comparisons);
  AddOpenComparison(&stores, &comparisons);
  AddGetComparisons(&stores, &comparisons);
  AddReaderComparisons(&stores, &comparisons);
  AddOverwriteComparison(&stores, &comparisons);
  AddSyncComparisons(directory, &comparisons);
  AddValueComparisons(directory, &comparisons);
  rumcask::bench::RatioReport report(std::move(comparisons), absl::GetFlag(FLAGS_rounds));
  benchmark::RunSpecifiedBenchmarks();
  const bool met = report.Print(stdout);
  benchmark::Shutdown();
  return met || !absl::GetFlag(FLAGS_enforce) ? 0 : 2;
}
