// What compaction costs those who read and write beside it:
//
//   bazel run //tools/bench/store:compaction_benchmark -- --db=/path/on/the/disk
//       [--keys=5000000] [--rounds=3] [--keystore=hash] [--format=json]
//
// One thread overwrites random keys as fast as it can, and another reads random keys. In each round
// three things take turns: a store that compacts and is in its steady state, a new one whose
// compaction is paused, so that its log grows, and a file to which as many bytes are written in
// order. With 5 million keys a round writes some 6 GB and takes a minute or two; 4 GB of disk are
// needed. Exits with 2 if a goal is missed and --enforce is given.

#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_format.h"
#include "rumcask/db.h"

#include "core/format/format.h"
#include "core/stats.h"
#include "keystores/by_name.h"
#include "tools/bench/clock.h"
#include "tools/bench/machine.h"
#include "tools/bench/store/call_times.h"
#include "tools/bench/store/compaction_costs.h"
#include "tools/bench/store/fatal.h"
#include "tools/bench/store/key_stream.h"
#include "tools/bench/store/loaded_stores.h"
#include "tools/bench/store/stopwatch.h"

ABSL_FLAG(
    std::string, db, "/tmp/rumcask_compaction_benchmark",
    "directory for the databases, made if need be; what the benchmark makes in it is removed");
ABSL_FLAG(uint64_t, keys, 1000000, "keys in each store");
ABSL_FLAG(std::string, keystore, "hash", "keystore of both");
ABSL_FLAG(double, live_share, 0.75,
          "share of the log that is live; the bound on space is 1 / this");
ABSL_FLAG(uint64_t, segment_bytes, 0, "size of a segment; 0 is the database's default");
ABSL_FLAG(double, warm_up, 6, "overwrites before the first round, in multiples of the keys");
ABSL_FLAG(double, overwrites, 4, "overwrites of each store in a round, in multiples of the keys");
ABSL_FLAG(uint64_t, reads_per_second, 0, "of the reader; 0 is as fast as it can");
ABSL_FLAG(int, rounds, 3, "rounds");
ABSL_FLAG(std::string, format, "table", "table or json");
ABSL_FLAG(bool, enforce, false, "exit with 2 if a goal is missed");

namespace rumcask::bench {
namespace {

constexpr size_t kValueBytes = LoadedStores::kValueBytes;
constexpr uint64_t kRecordBytes = RecordBytes(Key::kBytes, kValueBytes);

double SecondsOf(const timespec& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double ProcessorSeconds(clockid_t clock) {
  timespec time = {};
  DieIf(clock_gettime(clock, &time) != 0, "clock_gettime");
  return SecondsOf(time);
}

// Of each thread of this process, by its id.
std::map<std::string, double> ProcessorSecondsOfThreads() {
  std::map<std::string, double> seconds;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    uint64_t nanoseconds = 0;
    std::ifstream(thread.path() / "schedstat") >> nanoseconds;
    seconds[thread.path().filename()] = static_cast<double>(nanoseconds) * 1e-9;
  }
  return seconds;
}

// Calls `next` until it says that it was the last, on the calling thread.
template <typename Next>
CallsOfThread TimeCalls(Next next) {
  const ProcessorWaits waits;
  CallTimes times(SystemClock(), [&waits] { return waits.Read(); });
  CallsOfThread result;
  const uint64_t waits_before = waits.Read();
  const double processor_before = ProcessorSeconds(CLOCK_THREAD_CPUTIME_ID);
  const Stopwatch watch;
  while (next(&times)) {
  }
  result.seconds = watch.Seconds();
  result.processor_seconds = ProcessorSeconds(CLOCK_THREAD_CPUTIME_ID) - processor_before;
  result.waiting_seconds = static_cast<double>(waits.Read() - waits_before) * 1e-9;
  result.calls = times.calls();
  result.elapsed = times.elapsed();
  result.own = times.own();
  result.elapsed_stalls = times.elapsed_stalls();
  result.own_stalls = times.own_stalls();
  return result;
}

class Benchmark {
 public:
  Benchmark()
      : directory_(absl::GetFlag(FLAGS_db)),
        keys_(absl::GetFlag(FLAGS_keys)),
        puts_(static_cast<uint64_t>(absl::GetFlag(FLAGS_overwrites) * static_cast<double>(keys_))),
        values_(kValueBytes) {
    std::filesystem::create_directories(directory_);
  }

  CompactionCosts Run() {
    CompactionCosts costs(kRecordBytes);
    const std::string path = directory_ + "/compacting";
    std::unique_ptr<DB> compacting = Filled(path);
    RandomKeys random(keys_, /*seed=*/1);
    const double warm_up = absl::GetFlag(FLAGS_warm_up) * static_cast<double>(keys_);
    for (uint64_t i = 0; i < static_cast<uint64_t>(warm_up); ++i) Put(compacting.get(), &random);
    const int rounds = absl::GetFlag(FLAGS_rounds);
    for (int i = 0; i < rounds; ++i) {
      CompactionRound round;
      // Each goes first in its turn.
      for (int turn = 0; turn < 3; ++turn) {
        switch ((i + turn) % 3) {
          case 0:
            RunCompacting(compacting.get(), i, &round);
            break;
          case 1:
            RunGrowing(i, &round);
            break;
          default:
            round.device_bytes_per_second = WriteFile();
        }
      }
      std::fprintf(stderr, "round %d of %d: %.0f puts per second compacting, %.0f growing\n", i + 1,
                   rounds, round.compacting.puts.PerSecond(), round.growing.puts.PerSecond());
      costs.Add(std::move(round));
    }
    OrDie(compacting->Close());
    compacting.reset();
    RemoveDatabase(path);
    return costs;
  }

 private:
  // A new database with all keys, in random order.
  std::unique_ptr<DB> Filled(const std::string& path) const {
    RemoveDatabase(path);
    Options options;
    options.create_if_missing = true;
    options.keystore = OrDie(KeystoreByName(absl::GetFlag(FLAGS_keystore)));
    options.compaction.max_space_amplification = 1 / absl::GetFlag(FLAGS_live_share);
    const uint64_t segment_bytes = absl::GetFlag(FLAGS_segment_bytes);
    if (segment_bytes > 0) options.segment_bytes = segment_bytes;
    std::unique_ptr<DB> db = OrDie(DB::Open(path, options));
    for (uint64_t i = 0; i < keys_; ++i) {
      const absl::Status status = db->Put(Key(i).view(), values_.Of(i));
      if (!status.ok()) OrDie(status);
    }
    return db;
  }

  void Put(DB* db, RandomKeys* random) const {
    const uint64_t number = random->Next();
    const absl::Status status = db->Put(Key(number).view(), values_.Of(number));
    if (!status.ok()) OrDie(status);
  }

  StoreRound Load(DB* db, int seed) const {
    StoreRound round;
    const uint64_t waits_before = db->GetStats().compaction.writer_waits;
    const std::map<std::string, double> threads_before = ProcessorSecondsOfThreads();
    const std::string writer = std::to_string(gettid());
    const double all_before = ProcessorSeconds(CLOCK_PROCESS_CPUTIME_ID);
    std::atomic<bool> stop{false};
    std::thread reader([&] { round.gets = Read(db, seed, stop); });
    const uint64_t last = puts_;
    RandomKeys random(keys_, static_cast<uint64_t>(seed) + 1000);
    round.puts = TimeCalls([&](CallTimes* times) {
      const uint64_t number = random.Next();
      const Key key(number);
      const std::string_view value = values_.Of(number);
      const absl::Status status = times->Time([&] { return db->Put(key.view(), value); });
      if (!status.ok()) OrDie(status);
      return times->calls() < last;
    });
    stop.store(true);
    reader.join();
    const double all = ProcessorSeconds(CLOCK_PROCESS_CPUTIME_ID) - all_before;
    round.background_seconds =
        std::max(0.0, all - round.puts.processor_seconds - round.gets.processor_seconds);
    for (const auto& [thread, seconds] : ProcessorSecondsOfThreads()) {
      // The reader has ended.
      const auto before = threads_before.find(thread);
      if (thread == writer || before == threads_before.end()) continue;
      round.busiest_seconds = std::max(round.busiest_seconds, seconds - before->second);
    }
    round.writer_waits = db->GetStats().compaction.writer_waits - waits_before;
    return round;
  }

  CallsOfThread Read(DB* db, int seed, const std::atomic<bool>& stop) const {
    // Bursts are long enough that waking up is not most of the work.
    constexpr uint64_t kBurst = 20;
    const uint64_t rate = absl::GetFlag(FLAGS_reads_per_second);
    const Stopwatch watch;
    RandomKeys random(keys_, static_cast<uint64_t>(seed) + 2000);
    std::string found;
    return TimeCalls([&](CallTimes* times) {
      const double due = watch.Seconds() * static_cast<double>(rate);
      if (rate > 0 && times->calls() % kBurst == 0 && static_cast<double>(times->calls()) > due) {
        std::this_thread::sleep_for(std::chrono::microseconds(kBurst * 1000000 / rate));
        return !stop.load(std::memory_order_relaxed);
      }
      const Key key(random.Next());
      if (!times->Time([&] { return db->Get(key.view(), &found); }).ok()) Die("a key is missing");
      return !stop.load(std::memory_order_relaxed);
    });
  }

  void RunCompacting(DB* db, int seed, CompactionRound* round) const {
    const CompactionStats before = db->GetStats().compaction;
    round->compacting = Load(db, seed);
    const Stats stats = db->GetStats();
    // Footers count on both sides.
    double file_bytes = 0;
    double log_bytes = 0;
    for (const SegmentStats& segment : stats.segments) {
      if (!segment.sealed) continue;
      file_bytes += static_cast<double>(segment.file_bytes);
      log_bytes += static_cast<double>(segment.log_bytes);
    }
    const double written =
        static_cast<double>(puts_ * kRecordBytes) * (log_bytes > 0 ? file_bytes / log_bytes : 1);
    const auto copied = static_cast<double>(stats.compaction.written_bytes - before.written_bytes);
    round->write_amplification = 1 + copied / written;
    round->live_share =
        static_cast<double>(stats.live_bytes) / static_cast<double>(stats.log_bytes);
    round->jobs = stats.compaction.jobs - before.jobs;
  }

  void RunGrowing(int seed, CompactionRound* round) const {
    const std::string path = directory_ + "/growing";
    std::unique_ptr<DB> db = Filled(path);
    OrDie(db->PauseCompaction());
    round->growing = Load(db.get(), seed);
    OrDie(db->Close());
    db.reset();
    RemoveDatabase(path);
  }

  // Bytes per second to a new file, the sync included.
  double WriteFile() const {
    constexpr size_t kPiece = size_t{1} << 20;
    std::string piece(kPiece, '\0');
    std::mt19937_64 random(1);
    for (char& byte : piece) byte = static_cast<char>(random());
    const std::string path = directory_ + "/file";
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    DieIf(fd < 0, path.c_str());
    const uint64_t pieces = std::max<uint64_t>(1, puts_ * kRecordBytes / kPiece);
    const Stopwatch watch;
    for (uint64_t i = 0; i < pieces; ++i) {
      DieIf(pwrite(fd, piece.data(), kPiece, static_cast<off_t>(i * kPiece)) !=
                static_cast<ssize_t>(kPiece),
            "pwrite");
    }
    DieIf(fdatasync(fd) != 0, "fdatasync");
    const double seconds = watch.Seconds();
    close(fd);
    unlink(path.c_str());
    return static_cast<double>(pieces * kPiece) / seconds;
  }

  const std::string directory_;
  const uint64_t keys_;
  const uint64_t puts_;  // of a round
  const Values values_;
};

int Main() {
  const std::string format = absl::GetFlag(FLAGS_format);
  const double share = absl::GetFlag(FLAGS_live_share);
  if (format != "table" && format != "json") Die("--format must be table or json");
  if (absl::GetFlag(FLAGS_keys) < 1000) Die("--keys must be at least 1000");
  if (share < 0.01 || share > 0.95) Die("--live_share must be from 0.01 to 0.95");
  if (absl::GetFlag(FLAGS_overwrites) < 0.1) Die("--overwrites must be at least 0.1");
  if (absl::GetFlag(FLAGS_rounds) < 1) Die("--rounds must be at least 1");
#ifndef NDEBUG
  std::fprintf(stderr, "warning: built without optimization or with assertions\n");
#endif
  Facts facts = {
      {"keys", absl::StrFormat("%d of %d bytes, values of %d", absl::GetFlag(FLAGS_keys),
                               Key::kBytes, kValueBytes)},
      {"keystore", absl::GetFlag(FLAGS_keystore)},
      {"bound", absl::StrFormat("%.3f x what is live", 1 / share)},
      {"segments", absl::StrFormat("%d bytes", absl::GetFlag(FLAGS_segment_bytes) > 0
                                                   ? absl::GetFlag(FLAGS_segment_bytes)
                                                   : Options().segment_bytes)},
      {"overwrites",
       absl::StrFormat("%g x the keys before, %g x a round", absl::GetFlag(FLAGS_warm_up),
                       absl::GetFlag(FLAGS_overwrites))},
      {"reads", absl::GetFlag(FLAGS_reads_per_second) == 0
                    ? "as fast as they go"
                    : absl::StrFormat("%d per second", absl::GetFlag(FLAGS_reads_per_second))},
      {"rounds", absl::StrFormat("%d", absl::GetFlag(FLAGS_rounds))}};
  const CompactionCosts costs = Benchmark().Run();
  const Facts machine = MachineFacts(absl::GetFlag(FLAGS_db));
  facts.insert(facts.end(), machine.begin(), machine.end());
  if (format == "json") {
    absl::PrintF("%s", costs.AsJson(facts));
  } else {
    for (const auto& [name, value] : facts) absl::PrintF("%-12s %s\n", name, value);
    absl::PrintF("\n%s", costs.AsTable());
  }
  return costs.Met() || !absl::GetFlag(FLAGS_enforce) ? 0 : 2;
}

}  // namespace
}  // namespace rumcask::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Measures what compaction costs those beside it.");
  absl::ParseCommandLine(argc, argv);
  return rumcask::bench::Main();
}
