#include "tools/advise/trial.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "core/db.h"
#include "core/options.h"
#include "core/stats.h"
#include "tools/advise/child.h"
#include "tools/advise/entries.h"
#include "tools/advise/peak_memory.h"
#include "tools/advise/slices.h"
#include "tools/advise/small_database.h"
#include "tools/bench/operation_stream.h"
#include "tools/bench/permutation.h"
#include "tools/bench/process_counters.h"
#include "tools/bench/store_files.h"
#include "tools/bench/value_sizes.h"
#include "tools/bench/workload.h"

namespace rumcask::advise {
namespace {

// So often the filling of an index on disk lets background work end.
constexpr uint64_t kPauses = 32;

constexpr int kOpenings = 3;
// Fewer operations take no time that can be measured.
constexpr uint64_t kLeastOperations = 20000;

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// What writing has cost so far.
struct Written {
  uint64_t log = 0;    // records, footers and compaction
  uint64_t calls = 0;  // what the process passed to write calls: the log and the index
  uint64_t put = 0;    // bytes of keys and values
};

// The process that makes the database and works on it.
class Worker {
 public:
  Worker(const Profile& profile, const TrialSettings& settings)
      : profile_(profile),
        settings_(settings),
        path_(absl::StrCat(settings.directory, "/", settings.keystore)),
        keys_(std::clamp(profile.keys >> settings.halvings, uint64_t{1}, settings.most_keys)),
        entries_(profile),
        memory_(std::in_place) {}

  // Opens the database, which is made if there is none, and tells the seconds.
  absl::StatusOr<double> Open() {
    absl::StatusOr<Options> options = SmallDatabase(
        profile_, settings_.keystore, ShrinkingFor(settings_.halvings, settings_.smaller));
    if (!options.ok()) return options.status();
    replay_bytes_ = options->replay_bytes;
    ordered_ = options->keystore->traits.ordered;
    persistent_ = options->keystore->traits.persistent;
    const Clock::time_point begin = Clock::now();
    absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(path_, *options);
    const double seconds = SecondsSince(begin);
    if (!db.ok()) return db.status();
    db_ = *std::move(db);
    return seconds;
  }

  // All that is measured but the opening after a crash. In the end the database is left as a crash
  // leaves it.
  absl::Status Live(Trial* trial) {
    trial->keys = keys_;
    absl::Status status = Open().status();
    if (status.ok()) status = Fill(trial);
    if (status.ok()) status = Close(trial);
    if (!status.ok() || settings_.only_fill) return status;
    status = OpenAgain(trial);
    if (status.ok()) status = Overwrite(trial);
    if (status.ok()) status = Read(trial);
    if (status.ok() && ordered_) status = Scan(trial);
    if (status.ok()) status = FallBehind();
    Leave();
    return status;
  }

  // As a crash does: the database is never closed.
  void Leave() { (void)db_.release(); }

 private:
  bench::OperationStream Stream(double bench::Workload::*share) const {
    bench::Workload workload;
    workload.keys = keys_;
    workload.operations = UINT64_MAX;
    workload.order = profile_.popular;
    workload.theta = profile_.theta;
    workload.*share = 1;
    return bench::OperationStream(workload, bench::ValueSizes(0), /*seed=*/1, /*thread=*/0,
                                  /*threads=*/1);
  }

  absl::Status Put(uint64_t number) {
    const std::string_view key = entries_.Key(number);
    const std::string_view value = entries_.Value();
    put_bytes_ += key.size() + value.size();
    return db_->Put(key, value);
  }

  // Does `step` so many times, or as long as a phase may take, and tells the processor time that
  // one takes, that of background threads included. It does not depend on what else the machine
  // does, nor on how long a small database waits for a device that a large one would keep busy.
  absl::StatusOr<double> Time(uint64_t count, uint64_t entries_of_step,
                              const std::function<absl::Status()>& step) const {
    constexpr double kBytesBetweenLooks = 1 << 14;
    constexpr uint64_t kMostBetweenLooks = 64;
    const double bytes = profile_.EntryBytes() * static_cast<double>(entries_of_step);
    Phase phase;
    phase.steps = count;
    phase.seconds = settings_.seconds_per_phase;
    phase.steps_between_looks = std::clamp(static_cast<uint64_t>(kBytesBetweenLooks / bytes),
                                           uint64_t{1}, kMostBetweenLooks);
    const Clock::time_point begin = Clock::now();
    return SecondsOfStep(
        phase, {[begin] { return SecondsSince(begin); }, [this] { return CpuSeconds(); }}, step);
  }

  double CpuSeconds() const { return counters_.Read().cpu_seconds; }

  absl::Status Fill(Trial* trial) {
    const Written before = WrittenNow();
    const bench::Permutation order(keys_, /*seed=*/1);
    const double cpu = CpuSeconds();
    for (uint64_t i = 0; i < keys_; ++i) {
      const absl::Status status = Put(profile_.ascending ? i : order(i));
      if (!status.ok()) return status;
      if (persistent_ && (i + 1) % (keys_ / kPauses + 1) == 0) AwaitQuiet();
    }
    trial->seconds.insert = (CpuSeconds() - cpu) / static_cast<double>(keys_);
    NoteWritten(before, trial);
    return absl::OkStatus();
  }

  // Until the index on disk has what is on its way to it, as far as can be seen: no thread computes
  // or waits for a device. Otherwise it would depend on who is faster at that moment how many
  // buffers there are, and how large the index becomes.
  void AwaitQuiet() const {
    constexpr std::chrono::milliseconds kPoll(5);
    constexpr int kQuietPolls = 8;
    constexpr double kBusyShare = 0.2;
    constexpr double kLongest = 30;
    const Clock::time_point begin = Clock::now();
    double cpu = CpuSeconds();
    Clock::time_point last = begin;
    for (int quiet = 0; quiet < kQuietPolls && SecondsSince(begin) < kLongest;) {
      std::this_thread::sleep_for(kPoll);
      const double used = CpuSeconds() - cpu;
      const bool busy = used > kBusyShare * SecondsSince(last) || WaitsForDevice();
      quiet = busy ? 0 : quiet + 1;
      cpu += used;
      last = Clock::now();
    }
  }

  // Whether a thread of this process does.
  static bool WaitsForDevice() {
    std::error_code error;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", error)) {
      std::ifstream file(task.path() / "stat");
      std::string line;
      std::getline(file, line);
      // The state stands behind the name, which is in parentheses.
      const size_t name_end = line.rfind(") ");
      if (name_end != std::string::npos && line[name_end + 2] == 'D') return true;
    }
    return false;
  }

  absl::Status Close(Trial* trial) {
    // What the background threads have in hand is no memory that stays.
    absl::Status status = db_->Sync();
    if (status.ok()) status = db_->PauseCompaction();
    if (!status.ok()) return status;
    trial->memory_bytes = memory_->now();
    status = db_->Close();
    if (!status.ok()) return status;
    trial->peak_memory_bytes = memory_->peak();
    memory_.reset();
    trial->index_file_bytes = bench::AllocatedBytes(path_ + "/index");
    trial->reserve_bytes = ReserveBytes();
    trial->log_bytes =
        bench::AllocatedBytes(path_) - trial->index_file_bytes - trial->reserve_bytes;
    return absl::OkStatus();
  }

  uint64_t ReserveBytes() const {
    struct stat about = {};
    if (::stat((path_ + "/RESERVE").c_str(), &about) != 0) return 0;
    return static_cast<uint64_t>(about.st_blocks) * 512;
  }

  // Several times, of which the fastest counts. Leaves the database open.
  absl::Status OpenAgain(Trial* trial) {
    for (int i = 0; i < kOpenings; ++i) {
      absl::Status status = i == 0 ? absl::OkStatus() : db_->Close();
      if (!status.ok()) return status;
      const absl::StatusOr<double> seconds = Open();
      if (!seconds.ok()) return seconds.status();
      trial->open_seconds = i == 0 ? *seconds : std::min(trial->open_seconds, *seconds);
    }
    return absl::OkStatus();
  }

  // Until the space that the log takes is what it will always be, and then for as long again.
  absl::Status Overwrite(Trial* trial) {
    bench::OperationStream stream = Stream(&bench::Workload::updates);
    const uint64_t least = std::max(2 * keys_, kLeastOperations);
    const uint64_t count = persistent_ ? std::max(least, 2 * ReplayedPuts()) : least;
    const auto step = [&] {
      bench::Operation operation;
      stream.Next(&operation);
      return Put(operation.number);
    };
    absl::StatusOr<double> seconds = Time(count, 1, step);
    if (!seconds.ok()) return seconds.status();
    const Written before = WrittenNow();
    seconds = Time(count, 1, step);
    if (!seconds.ok()) return seconds.status();
    trial->seconds.overwrite = *seconds;
    trial->worn_log_bytes = db_->GetStats().file_bytes;
    // A database that nothing is overwritten in pays for its inserts only.
    if (profile_.overwrites > 0) NoteWritten(before, trial);
    trial->worn_index_file_bytes =
        std::max(trial->index_file_bytes, db_->GetStats().index_file_bytes);
    return absl::OkStatus();
  }

  absl::Status Read(Trial* trial) {
    bench::OperationStream stream = Stream(&bench::Workload::reads);
    std::string value;
    const absl::StatusOr<double> seconds = Time(std::max(keys_, kLeastOperations), 1, [&] {
      bench::Operation operation;
      stream.Next(&operation);
      return db_->Get(entries_.Key(operation.number), &value);
    });
    if (seconds.ok()) trial->seconds.get = *seconds;
    return seconds.status();
  }

  absl::Status Scan(Trial* trial) {
    bench::OperationStream stream = Stream(&bench::Workload::reads);
    const uint64_t length = std::min(profile_.scan_length, profile_.keys);
    const uint64_t count = std::max(keys_, kLeastOperations) / length + 1;
    uint64_t scans = 0;
    uint64_t entries = 0;
    const absl::StatusOr<double> seconds = Time(count, length, [&] {
      bench::Operation operation;
      stream.Next(&operation);
      ++scans;
      return ScanFrom(entries_.Key(operation.number), &entries);
    });
    if (!seconds.ok()) return seconds.status();
    trial->seconds.scan = *seconds;
    // Scans that the end of the small database cuts short would go on in the large one.
    if (keys_ < profile_.keys) {
      const double of_scan = static_cast<double>(entries) / static_cast<double>(scans);
      trial->seconds.scan *= static_cast<double>(length) / of_scan;
    }
    return absl::OkStatus();
  }

  // Adds the number of entries that are read.
  absl::Status ScanFrom(std::string_view key, uint64_t* entries) {
    IteratorOptions options;
    options.lower = std::string(key);
    options.ordered = true;
    absl::StatusOr<std::unique_ptr<Iterator>> iterator = db_->NewIterator(options);
    if (!iterator.ok()) return iterator.status();
    for (uint64_t i = 0; i < profile_.scan_length && (*iterator)->Valid(); ++i) {
      ++*entries;
      (*iterator)->Next();
    }
    return (*iterator)->status();
  }

  // An index on disk that lags behind the log as far as it may makes an opening slowest.
  absl::Status FallBehind() {
    if (!persistent_) return absl::OkStatus();
    bench::OperationStream stream = Stream(&bench::Workload::updates);
    return Time(std::min(keys_, ReplayedPuts()), 1,
                [&] {
                  bench::Operation operation;
                  stream.Next(&operation);
                  return Put(operation.number);
                })
        .status();
  }

  // Puts that fill the part of the log that an opening after a crash may have to read again.
  uint64_t ReplayedPuts() const {
    return static_cast<uint64_t>(static_cast<double>(replay_bytes_) / profile_.EntryBytes()) + 1;
  }

  Written WrittenNow() {
    // Ends a running job, because what that has written is counted at its end.
    (void)db_->PauseCompaction();
    const Stats stats = db_->GetStats();
    (void)db_->ResumeCompaction();
    Written written;
    written.put = put_bytes_;
    written.log = stats.compaction.retired_bytes;
    // Blocks that were made ahead hold nothing yet.
    uint64_t ahead = stats.prepared_bytes;
    for (const SegmentStats& segment : stats.segments) {
      written.log += segment.sealed ? segment.file_bytes : segment.log_bytes;
      if (!segment.sealed) ahead += segment.file_bytes - segment.log_bytes;
    }
    const uint64_t calls = counters_.Read().written_bytes.value_or(0);
    written.calls = calls - std::min(calls, ahead);
    return written;
  }

  void NoteWritten(const Written& before, Trial* trial) {
    const Written now = WrittenNow();
    const uint64_t log = now.log - before.log;
    // The log is written by calls as well, so that what they wrote beyond it is the index.
    const uint64_t all = persistent_ ? std::max(log, now.calls - before.calls) : log;
    trial->written_per_byte = static_cast<double>(all) / static_cast<double>(now.put - before.put);
  }

  const Profile& profile_;
  const TrialSettings& settings_;
  const std::string path_;
  const uint64_t keys_;
  Entries entries_;
  const bench::ProcessCounters counters_;
  std::optional<PeakMemory> memory_;
  uint64_t replay_bytes_ = 0;
  bool ordered_ = false;
  bool persistent_ = false;
  uint64_t put_bytes_ = 0;
  std::unique_ptr<DB> db_;
};

nlohmann::ordered_json ToJson(const Trial& trial) {
  return {
      {"keys", trial.keys},
      {"memory_bytes", trial.memory_bytes},
      {"peak_memory_bytes", trial.peak_memory_bytes},
      {"log_bytes", trial.log_bytes},
      {"index_file_bytes", trial.index_file_bytes},
      {"reserve_bytes", trial.reserve_bytes},
      {"worn_log_bytes", trial.worn_log_bytes},
      {"worn_index_file_bytes", trial.worn_index_file_bytes},
      {"written_per_byte", trial.written_per_byte},
      {"get", trial.seconds.get},
      {"overwrite", trial.seconds.overwrite},
      {"insert", trial.seconds.insert},
      {"scan", trial.seconds.scan},
      {"open_seconds", trial.open_seconds},
  };
}

Trial TrialOf(const nlohmann::ordered_json& json) {
  Trial trial;
  trial.keys = json.at("keys");
  trial.memory_bytes = json.at("memory_bytes");
  trial.peak_memory_bytes = json.at("peak_memory_bytes");
  trial.log_bytes = json.at("log_bytes");
  trial.index_file_bytes = json.at("index_file_bytes");
  trial.reserve_bytes = json.at("reserve_bytes");
  trial.worn_log_bytes = json.at("worn_log_bytes");
  trial.worn_index_file_bytes = json.at("worn_index_file_bytes");
  trial.written_per_byte = json.at("written_per_byte");
  trial.seconds.get = json.at("get");
  trial.seconds.overwrite = json.at("overwrite");
  trial.seconds.insert = json.at("insert");
  trial.seconds.scan = json.at("scan");
  trial.open_seconds = json.at("open_seconds");
  return trial;
}

}  // namespace

absl::StatusOr<Trial> RunTrial(const Profile& profile, const TrialSettings& settings) {
  const std::string name = absl::StrCat("trying ", settings.keystore);
  const auto remove = absl::MakeCleanup([&settings] {
    std::error_code ignored;
    std::filesystem::remove_all(absl::StrCat(settings.directory, "/", settings.keystore), ignored);
  });
  const absl::StatusOr<nlohmann::ordered_json> lived =
      RunInChild(name, settings.stop, [&]() -> absl::StatusOr<nlohmann::ordered_json> {
        Worker worker(profile, settings);
        Trial trial;
        const absl::Status status = worker.Live(&trial);
        if (!status.ok()) return status;
        return ToJson(trial);
      });
  if (!lived.ok()) return lived.status();
  Trial trial = TrialOf(*lived);
  if (settings.only_fill) return trial;
  for (int i = 0; i < kOpenings; ++i) {
    const absl::StatusOr<nlohmann::ordered_json> recovered =
        RunInChild(name, settings.stop, [&]() -> absl::StatusOr<nlohmann::ordered_json> {
          Worker worker(profile, settings);
          const absl::StatusOr<double> seconds = worker.Open();
          if (!seconds.ok()) return seconds.status();
          worker.Leave();
          return nlohmann::ordered_json(*seconds);
        });
    if (!recovered.ok()) return recovered.status();
    const double seconds = *recovered;
    trial.recovery_seconds = i == 0 ? seconds : std::min(trial.recovery_seconds, seconds);
  }
  return trial;
}

}  // namespace rumcask::advise
