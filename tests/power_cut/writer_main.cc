// Opens a database after a power cut, checks what it holds, and writes until the next cut.
//
//   writer DB KEYSTORE mapped|write SEGMENT-BYTES LEAST MOST COUNT
//
// Only this program has written to the database. Operations are numbered from 1. The database must
// hold the first n of them and nothing else, for some n from LEAST to MOST. The program then makes
// COUNT operations and closes the database; if COUNT is 0, it makes operations until it is killed.
// If the database has another keystore, it is reindexed.

#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/check/verify.h"
#include "core/damage.h"
#include "core/db.h"
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

WriterOperation NthOperation(uint64_t n) {
  // Uses the keys of all writers, so that an index on disk has more than a few pages.
  WriterOperation operation = OperationOf(static_cast<int>(n % kWriters), n);
  operation.sync = n % kSyncEvery == 0;
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

// Vouches for operations through `n`, the latest, by one of three ways in turn. `operation` is the
// n-th operation. durable_version may cover fewer of them.
void Vouch(DB* db, uint64_t n, const WriterOperation& operation,
           std::vector<std::pair<uint64_t, uint64_t>>* versions) {
  const Stats stats = db->GetStats();
  versions->emplace_back(stats.last_version, n);
  absl::Status status;
  switch (n / kVouchEvery % 3) {
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

int Main(int argc, char** argv) {
  if (argc != 8) return 64;
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

  CheckFiles(path);
  Options options;
  options.create_if_missing = true;
  options.segment_bytes = segment_bytes;
  options.reindex = true;
  options.replay_bytes = kReplayBytes;
  options.append_mode = mapped ? AppendMode::kMapped : AppendMode::kWrite;
  options.read_mode = mapped ? ReadMode::kMapped : ReadMode::kPread;
  keystore->buffer_bytes = kBufferBytes;
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
  NumberedWrites writes([](uint64_t nth) { return NthOperation(nth).changes; });
  const std::string wrong = writes.GoOnTo(found, least, most);
  if (!wrong.empty()) Wrong(wrong);
  uint64_t n = writes.count();
  Report(WriterReport::kOpened, n);

  std::vector<std::pair<uint64_t, uint64_t>> versions;
  const uint64_t end = n + count;
  while (count == 0 || n < end) {
    const WriterOperation operation = NthOperation(++n);
    const absl::Status status = Perform(operation.changes, db->get(), {operation.sync});
    if (!status.ok()) Fail("operation " + std::to_string(n), status);
    if (operation.sync) {
      Report(WriterReport::kSynced, n, Voucher::kSyncedWrite);
    } else {
      Report(WriterReport::kWritten, n);
    }
    if (n % kVouchEvery == 0) Vouch(db->get(), n, operation, &versions);
    if (operation.sync && traits.persistent) {
      Report(WriterReport::kIndexed, (*db)->GetStats().index_version);
    }
  }
  const absl::Status status = (*db)->Close();
  if (!status.ok()) Fail("Close", status);
  Report(WriterReport::kSynced, n, Voucher::kClose);
  return 0;
}

}  // namespace
}  // namespace rumcask

int main(int argc, char** argv) { return rumcask::Main(argc, argv); }
