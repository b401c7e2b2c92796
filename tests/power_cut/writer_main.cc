// Opens a database after a power cut, checks what it holds, and writes until the next cut.
//
//   writer DB KEYSTORE mapped|write SEGMENT-BYTES LEAST MOST COUNT WORK
//
// Only this program has written to the database. Operations are numbered from 1. The database must
// hold the first n of them and nothing else, for some n from LEAST to MOST. The program then makes
// COUNT operations and closes the database; if COUNT is 0, it makes operations until it is killed.
// If the database has another keystore, it is reindexed.
//
// WORK is "spread": over many keys. Or it is about compaction: "churn" overwrites and deletes the
// same keys again and again, so that the database compacts by itself all the time; with
// "churn-some" and "churn-all" another thread calls CompactSome and CompactAll as well. A snapshot
// is open now and then, for which segments have to wait.

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/check/verify.h"
#include "core/damage.h"
#include "core/db.h"
#include "core/plugin/disk_index.h"
#include "core/stats.h"
#include "keystores/by_name.h"
#include "tests/oracle/numbered_writes.h"
#include "tests/oracle/operations.h"
#include "tests/power_cut/writer_report.h"
#include "tests/workloads/writer_operations.h"

namespace rumcask {
namespace {

// Small, so that buffers are applied to the index all the time.
constexpr uint64_t kBufferBytes = uint64_t{8} << 10;
constexpr uint64_t kReplayBytes = uint64_t{64} << 10;

constexpr uint64_t kSyncEvery = 40;
// How often something other than a synced operation vouches for what was written.
constexpr uint64_t kVouchEvery = 16;
// The same of churn: seldom, so that compactions come and go while what has replaced their records
// is not durable.
constexpr uint64_t kChurnSyncEvery = 280;
constexpr uint64_t kChurnVouchEvery = 112;

// How often churn tells what compaction has done, and takes or drops a snapshot.
constexpr uint64_t kTellEvery = 8;
constexpr uint64_t kSnapshotEvery = 128;
constexpr uint64_t kSnapshotLasts = 32;
// Of the thread that calls for compaction. The writer rests after so many operations then, so that
// compactions catch up with it while the last ones are not durable.
constexpr std::chrono::milliseconds kPause{3};
constexpr uint64_t kSomeBytes = uint64_t{16} << 10;
constexpr uint64_t kBurst = 32;
constexpr std::chrono::milliseconds kRest{8};

// Reports an error. If the power has been cut, the parent expects errors and ignores this one.
[[noreturn]] void Fail(std::string_view what, const absl::Status& status) {
  std::cerr << what << ": " << status << std::endl;
  std::_Exit(1);
}

// Reports wrong contents, which a power cut cannot explain.
[[noreturn]] void Wrong(std::string_view what) {
  std::cerr << what << std::endl;
  std::_Exit(kWrong);
}

void Report(WriterReport::What what, uint64_t number, Voucher by = Voucher::kNobody) {
  const WriterReport report = {what, number, by};
  if (::write(kReports, &report, sizeof report) != sizeof report) std::_Exit(1);
}

WriterOperation NthOperation(bool churn, uint64_t n) {
  // Uses the keys of all writers, so that an index on disk has more than a few pages.
  const int writer = static_cast<int>(n % kWriters);
  WriterOperation operation = churn ? ChurnOf(writer, n) : OperationOf(writer, n);
  operation.sync = n % (churn ? kChurnSyncEvery : kSyncEvery) == 0;
  return operation;
}

void CheckFiles(const std::string& path) {
  const absl::StatusOr<VerifyReport> report = VerifyFiles(path);
  if (absl::IsNotFound(report.status())) return;
  if (!report.ok()) Fail("VerifyFiles", report.status());
  for (const Damage& damage : report->damages) Fail("damage in files", DamageStatus(damage));
}

void CheckGets(DB* db, const State& found) {
  std::string value;
  for (int writer = 0; writer < kWriters; ++writer) {
    for (uint64_t i = 0; i < kKeysPerWriter; ++i) {
      const std::string key = WriterKey(writer, i);
      const absl::Status status = db->Get(key, &value);
      if (!status.ok() && !absl::IsNotFound(status)) Fail("Get " + key, status);
      const auto it = found.find(key);
      if (status.ok() != (it != found.end()) || (status.ok() && value != it->second)) {
        Wrong("Get and a walk differ about " + key);
      }
    }
  }
}

// Vouches for operations through `n`, the latest, by one of three ways, in turn as `nth` grows.
// `operation` is the n-th operation. durable_version may cover fewer of them.
void Vouch(DB* db, uint64_t nth, uint64_t n, const WriterOperation& operation,
           std::vector<std::pair<uint64_t, uint64_t>>* versions) {
  const Stats stats = db->GetStats();
  versions->emplace_back(stats.last_version, n);
  absl::Status status;
  switch (nth % 3) {
    case 0:
      status = db->Sync();
      if (!status.ok()) Fail("Sync", status);
      Report(WriterReport::kSynced, n, Voucher::kSync);
      break;
    case 1:
      // The refusal observes the last change of the operation, so it vouches for all of it.
      status = db->CompareAndPut(operation.changes.back().first, "refused", uint64_t{1} << 62,
                                 {/*sync=*/true});
      if (!absl::IsAborted(status)) Fail("CompareAndPut", status);
      Report(WriterReport::kSynced, n, Voucher::kRefusal);
      break;
    default:
      for (auto it = versions->rbegin(); it != versions->rend(); ++it) {
        if (it->first > stats.durable_version) continue;
        Report(WriterReport::kSynced, it->second, Voucher::kStats);
        break;
      }
  }
}

// Compacts beside the writer until the end.
class Caller {
 public:
  Caller(DB* db, bool all) : thread_([this, db, all] { Run(db, all); }) {}
  ~Caller() {
    ends_.store(true);
    thread_.join();
  }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

 private:
  void Run(DB* db, bool all) {
    while (!ends_.load()) {
      const absl::Status status = all ? db->CompactAll() : db->CompactSome(kSomeBytes);
      if (!status.ok()) Fail("compaction", status);
      std::this_thread::sleep_for(kPause);
    }
  }

  std::atomic<bool> ends_{false};
  std::thread thread_;
};

// What churn does besides its operations.
void TellOfCompaction(DB* db, uint64_t n, std::shared_ptr<const Snapshot>* snapshot) {
  if (n % kTellEvery == 0) {
    const CompactionStats stats = db->GetStats().compaction;
    Report(stats.running ? WriterReport::kCompacting : WriterReport::kRetired,
           stats.retired_segments);
  }
  if (n % kSnapshotEvery == kSnapshotLasts) snapshot->reset();
  if (n % kSnapshotEvery != 0) return;
  auto taken = db->TakeSnapshot();
  if (!taken.ok()) Fail("TakeSnapshot", taken.status());
  *snapshot = *std::move(taken);
}

int Main(int argc, char** argv) {
  if (argc != 9) return 64;
  // If the parent stops reading, the next report ends this program.
  ::signal(SIGPIPE, SIG_DFL);
  const std::string path = argv[1];
  absl::StatusOr<KeystoreFactory> keystore = KeystoreByName(argv[2]);
  if (!keystore.ok()) Fail("keystore", keystore.status());
  const KeystoreTraits traits = keystore->traits;
  const bool mapped = std::string_view(argv[3]) == "mapped";
  const uint64_t segment_bytes = std::strtoull(argv[4], nullptr, 10);
  const uint64_t least = std::strtoull(argv[5], nullptr, 10);
  const uint64_t most = std::strtoull(argv[6], nullptr, 10);
  const uint64_t count = std::strtoull(argv[7], nullptr, 10);
  const std::string_view work = argv[8];
  const bool churn = work != "spread";

  CheckFiles(path);
  Options options;
  options.create_if_missing = true;
  options.segment_bytes = segment_bytes;
  options.reindex = true;
  options.replay_bytes = kReplayBytes;
  options.append_mode = mapped ? AppendMode::kMapped : AppendMode::kWrite;
  options.read_mode = mapped ? ReadMode::kMapped : ReadMode::kPread;
  keystore->buffer_bytes = kBufferBytes;
  // Reported at once: a cut may come while the index is built anew, and the next writer finds a
  // part of it.
  keystore->open_index = [open = keystore->open_index](const DiskIndexConfig& config) {
    auto index = open(config);
    if (!index.ok()) {
      std::cerr << "the index does not open: " << index.status() << std::endl;
      Report(WriterReport::kUnopenable, 0);
    }
    return index;
  };
  keystore->remove_index = [remove = keystore->remove_index](const std::string& index) {
    std::cerr << "the index is removed" << std::endl;
    return remove(index);
  };
  options.keystore = *std::move(keystore);
  auto db = DB::Open(path, options);
  if (!db.ok()) Fail("Open", db.status());

  const Stats stats = (*db)->GetStats();
  if (traits.persistent) {
    if (!stats.index_rebuilt.empty()) {
      std::cerr << "built anew: " << stats.index_rebuilt << std::endl;
      Report(WriterReport::kRebuilt, 0);
    }
    Report(WriterReport::kBehind, stats.recovery.last_version - stats.index_version);
    Report(WriterReport::kIndexed, stats.index_version);
  }
  State found;
  const absl::Status read = ReadAll(db->get(), &found, traits.ordered);
  if (absl::IsUnknown(read)) Wrong(std::string(read.message()));
  if (!read.ok()) Fail("walk", read);
  CheckGets(db->get(), found);
  const absl::StatusOr<VerifyReport> verified = (*db)->Verify();
  if (!verified.ok()) Fail("Verify", verified.status());
  for (const Damage& damage : verified->damages) Fail("damage", DamageStatus(damage));
  if (verified->keys != found.size()) Wrong("the log has other keys than the walk");
  NumberedWrites writes([churn](uint64_t nth) { return NthOperation(churn, nth).changes; });
  const std::string wrong = writes.GoOnTo(found, least, most);
  if (!wrong.empty()) Wrong(wrong);
  uint64_t n = writes.count();
  Report(WriterReport::kOpened, n);

  std::optional<Caller> caller;
  if (work == "churn-some" || work == "churn-all") caller.emplace(db->get(), work == "churn-all");
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<std::pair<uint64_t, uint64_t>> versions;
  const uint64_t vouch_every = churn ? kChurnVouchEvery : kVouchEvery;
  const uint64_t end = n + count;
  while (count == 0 || n < end) {
    const WriterOperation operation = NthOperation(churn, ++n);
    const absl::Status status = Perform(operation.changes, db->get(), {operation.sync});
    if (!status.ok()) Fail("operation " + std::to_string(n), status);
    if (operation.sync) {
      Report(WriterReport::kSynced, n, Voucher::kSyncedWrite);
    } else {
      Report(WriterReport::kWritten, n);
    }
    if (n % vouch_every == 0) Vouch(db->get(), n / vouch_every, n, operation, &versions);
    if (operation.sync && traits.persistent) {
      Report(WriterReport::kIndexed, (*db)->GetStats().index_version);
    }
    if (churn) TellOfCompaction(db->get(), n, &snapshot);
    if (caller.has_value() && n % kBurst == 0) std::this_thread::sleep_for(kRest);
  }
  snapshot.reset();
  caller.reset();
  const absl::Status status = (*db)->Close();
  if (!status.ok()) Fail("Close", status);
  Report(WriterReport::kSynced, n, Voucher::kClose);
  return 0;
}

}  // namespace
}  // namespace rumcask

int main(int argc, char** argv) { return rumcask::Main(argc, argv); }
