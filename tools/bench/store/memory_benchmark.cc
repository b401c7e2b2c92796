// Memory per key while a database grows, peaks included:
//
//   bazel run //tools/bench/store:memory_benchmark -- --db=/path/on/the/disk
//       [--keys=1000000,5000000,20000000] [--key_bytes=16,100] [--keystore=hash]
//
// Fills a database with keys of each size and values of 8 bytes, and reads the memory after every
// percent of growth, because a table that doubles has both halves for a moment and is half empty
// afterwards. The figure is the growth of the process's anonymous memory since before the database
// was opened, so that losses of allocators, threads and buffers are included. Pages of the log are
// not, as they belong to files. A whole run takes about a minute, 3 GB of disk and 1 GB of memory.
// Exits with 2 if the budget is exceeded and --enforce is given.

#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "rumcask/db.h"

#include "core/stats.h"
#include "keystores/by_name.h"
#include "tools/bench/child_process.h"
#include "tools/bench/process_counters.h"
#include "tools/bench/store/fatal.h"
#include "tools/bench/store/key_stream.h"
#include "tools/bench/store/loaded_stores.h"

ABSL_FLAG(
    std::string, db, "/tmp/rumcask_memory_benchmark",
    "directory for the databases, made if need be; what the benchmark makes in it is removed");
ABSL_FLAG(std::string, keys, "1000000,5000000,20000000", "numbers of keys to report, ascending");
ABSL_FLAG(std::string, key_bytes, "16,100", "sizes of keys");
ABSL_FLAG(std::string, keystore, "hash", "keystore to fill");
ABSL_FLAG(bool, enforce, false, "exit with 2 if the budget is missed");

namespace rumcask::bench {
namespace {

constexpr double kBudget = 36;

std::vector<uint64_t> Numbers(const std::string& list) {
  std::vector<uint64_t> numbers;
  for (const auto text : absl::StrSplit(list, ',')) {
    uint64_t number = 0;
    const bool ok = absl::SimpleAtoi(text, &number) && number > 0;
    if (!ok) Die("not a list of numbers: " + list);
    numbers.push_back(number);
  }
  return numbers;
}

// Bytes per key at the end, on average, and at the maximum.
class Growth {
 public:
  void Add(uint64_t keys, uint64_t bytes) {
    const double seen = static_cast<double>(samples_++);
    last_ = static_cast<double>(bytes) / static_cast<double>(keys);
    mean_ = (mean_ * seen + last_) / (seen + 1);
    if (last_ <= peak_) return;
    peak_ = last_;
    peak_keys_ = keys;
  }
  double last() const { return last_; }
  double mean() const { return mean_; }
  double peak() const { return peak_; }
  uint64_t peak_keys() const { return peak_keys_; }

 private:
  uint64_t samples_ = 0;
  double last_ = 0;
  double mean_ = 0;
  double peak_ = 0;
  uint64_t peak_keys_ = 0;
};

// One line for each number of keys, after "met" or "MISSED" for all of them.
std::string Fill(const std::string& path, size_t key_bytes, const std::vector<uint64_t>& totals) {
  RemoveDatabase(path);
  Options options;
  options.create_if_missing = true;
  options.keystore = OrDie(KeystoreByName(absl::GetFlag(FLAGS_keystore)));
  const ProcessCounters counters;
  std::string key(key_bytes, 'k');
  ::malloc_trim(0);
  const uint64_t before = counters.Read().anonymous_bytes;
  std::unique_ptr<DB> db = OrDie(DB::Open(path, options));
  std::string lines;
  bool met = true;
  uint64_t keys = 0;
  for (const uint64_t total : totals) {
    // Measured over the last octave, in which every table doubles once.
    Growth index;
    Growth process;
    while (keys < total) {
      const uint64_t next = std::min(total, keys + std::max<uint64_t>(keys / 100, 10000));
      for (; keys < next; ++keys) {
        const Key number(keys);
        std::copy_n(number.view().data(), std::min(key_bytes, Key::kBytes), key.begin());
        const absl::Status status = db->Put(key, "8 bytes.");
        if (!status.ok()) OrDie(status);
      }
      if (2 * keys < total) continue;
      index.Add(keys, db->GetStats().index_bytes);
      process.Add(keys, counters.Read().anonymous_bytes - before);
    }
    met = met && process.peak() <= kBudget;
    absl::StrAppendFormat(&lines, "%9d %10d %8.1f %8.1f %8.1f %8.1f %8.1f at %10d  %s\n", key_bytes,
                          total, index.last(), index.peak(), process.last(), process.mean(),
                          process.peak(), process.peak_keys(),
                          process.peak() <= kBudget ? "met" : "MISSED");
  }
  OrDie(db->Close());
  db.reset();
  RemoveDatabase(path);
  return (met ? "met\n" : "MISSED\n") + lines;
}

int Main() {
  const std::vector<uint64_t> totals = Numbers(absl::GetFlag(FLAGS_keys));
  if (!std::is_sorted(totals.begin(), totals.end())) Die("--keys must ascend");
  const std::string directory = absl::GetFlag(FLAGS_db);
  std::filesystem::create_directories(directory);
  absl::PrintF(
      "Bytes of memory per key, keystore %s; means and peaks over the last doubling; budget of "
      "the process's peak %g\n",
      absl::GetFlag(FLAGS_keystore), kBudget);
  absl::PrintF("%9s %10s %8s %8s %8s %8s %8s\n", "key bytes", "keys", "index", "peak", "process",
               "mean", "peak");
  bool met = true;
  for (const uint64_t key_bytes : Numbers(absl::GetFlag(FLAGS_key_bytes))) {
    if (key_bytes < Key::kBytes) Die("--key_bytes must be at least 16");
    // Each runs in its own process, so that memory left over from the last one does not count.
    const std::string text =
        OrDie(RunInChild([&] { return Fill(directory + "/memory", key_bytes, totals); }));
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(text, absl::MaxSplits('\n', 1));
    // A child that died has reported the reason.
    if (parts.second.empty()) return 1;
    met = met && parts.first == "met";
    absl::PrintF("%s", parts.second);
    std::fflush(stdout);
  }
  return met || !absl::GetFlag(FLAGS_enforce) ? 0 : 2;
}

}  // namespace
}  // namespace rumcask::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Measures memory per key.");
  absl::ParseCommandLine(argc, argv);
  return rumcask::bench::Main();
}
