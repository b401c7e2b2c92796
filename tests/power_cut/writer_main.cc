// Opens a database after a power cut, judges what it holds, and writes on until the next cut.
//
//   writer DB KEYSTORE mapped|write SEGMENT-BYTES LEAST MOST COUNT
//
// It has been written by nobody else. Its operations are numbered from 1; it must hold the first n
// of them and nothing else, for some n from LEAST to MOST. COUNT operations follow and a clean end,
// or, with 0, operations without end. If the database has another keystore it is reindexed.

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
#include "tests/power_cut/writer_report.h"
#include "tests/workloads/writer_operations.h"

namespace rumcask {
namespace {

// So small that the index is brought up to date all the time.
constexpr uint64_t kBufferBytes = uint64_t{8} << 10;
constexpr uint64_t kReplayBytes = uint64_t{64} << 10;

constexpr uint64_t kSyncEvery = 40;
// Now and then something else vouches for what was written.
constexpr uint64_t kVouchEvery = 16;

// The disk may be gone by now; then nobody cares.
[[noreturn]] void Fail(std::string_view what, const absl::Status& status) {
  std::cerr << what << ": " << status << std::endl;
  std::_Exit(1);
}

// No disk is the reason for this.
[[noreturn]] void Wrong(std::string_view what) {
  std::cerr << what << std::endl;
  std::_Exit(kWrong);
}

void Report(WriterReport::What what, uint64_t number, WriterReport::By by = WriterReport::kNobody) {
  const WriterReport report = {what, number, by};
  if (::write(kReports, &report, sizeof report) != sizeof report) std::_Exit(1);
}

WriterOperation NthOperation(uint64_t n) {
  // With the keys of all the writers, so that an index on disk has more than a few pages.
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

State Walk(DB* db, bool ordered) {
  IteratorOptions options;
  options.ordered = ordered;
  auto it = db->NewIterator(options);
  if (!it.ok()) Fail("NewIterator", it.status());
  State found;
  std::string last;
  for (; (*it)->Valid(); (*it)->Next()) {
    const std::string key((*it)->key());
    if (ordered && key <= last) Wrong("the walk is not in order: " + key);
    if (!found.emplace(key, (*it)->value()).second) Wrong("the walk comes twice to " + key);
    last = key;
  }
  if (!(*it)->status().ok()) Fail("walk", (*it)->status());
  return found;
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

// After how many operations the state is the one that was found.
uint64_t Recognize(const State& found, uint64_t least, uint64_t most) {
  State state;
  // Keys that differ. So no state has to be compared as a whole.
  size_t differing = found.size();
  const auto differs = [&](const std::string& key) {
    const State::const_iterator there = found.find(key), here = state.find(key);
    if (there == found.end() || here == state.end()) {
      return (there == found.end()) != (here == state.end());
    }
    return there->second != here->second;
  };
  for (uint64_t n = 0; n <= most; ++n) {
    if (n > 0) {
      const WriterOperation operation = NthOperation(n);
      State touched;
      for (const auto& change : operation.changes) touched[change.first];
      for (const auto& key : touched) differing -= differs(key.first) ? 1 : 0;
      Apply(operation.changes, &state);
      for (const auto& key : touched) differing += differs(key.first) ? 1 : 0;
    }
    if (n >= least && differing == 0) return n;
  }
  Wrong("the " + std::to_string(found.size()) + " keys found are not what any of operations " +
        std::to_string(least) + " to " + std::to_string(most) + " leaves; after the last, " +
        std::to_string(differing) + " differ");
}

// Vouches, in turn by each way there is, for operations through `n`, the latest, which was
// `operation`, or for as many as it can.
void Vouch(DB* db, uint64_t n, const WriterOperation& operation,
           std::vector<std::pair<uint64_t, uint64_t>>* versions) {
  const Stats stats = db->GetStats();
  versions->emplace_back(stats.last_version, n);
  absl::Status status;
  switch (n / kVouchEvery % 3) {
    case 0:
      status = db->Sync();
      if (!status.ok()) Fail("Sync", status);
      Report(WriterReport::kSynced, n, WriterReport::kSync);
      break;
    case 1:
      // It observes what the operation did last.
      status = db->CompareAndPut(operation.changes.back().first, "refused", uint64_t{1} << 62,
                                 {/*sync=*/true});
      if (!absl::IsAborted(status)) Fail("CompareAndPut", status);
      Report(WriterReport::kSynced, n, WriterReport::kRefusal);
      break;
    default:
      for (auto it = versions->rbegin(); it != versions->rend(); ++it) {
        if (it->first > stats.durable_version) continue;
        Report(WriterReport::kSynced, it->second, WriterReport::kDurableVersion);
        break;
      }
  }
}

int Main(int argc, char** argv) {
  if (argc != 8) return 64;
  // The parent is told what it reads, and no more.
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
  const State found = Walk(db->get(), traits.ordered);
  CheckGets(db->get(), found);
  const absl::StatusOr<VerifyReport> verified = (*db)->Verify();
  if (!verified.ok()) Fail("Verify", verified.status());
  for (const Damage& damage : verified->damages) Fail("damage", DamageStatus(damage));
  if (verified->keys != found.size()) Wrong("the log has other keys than the walk");
  uint64_t n = Recognize(found, least, most);
  Report(WriterReport::kOpened, n);

  std::vector<std::pair<uint64_t, uint64_t>> versions;
  const uint64_t end = n + count;
  while (count == 0 || n < end) {
    const WriterOperation operation = NthOperation(++n);
    const absl::Status status = Perform(operation.changes, db->get(), {operation.sync});
    if (!status.ok()) Fail("operation " + std::to_string(n), status);
    if (operation.sync) {
      Report(WriterReport::kSynced, n, WriterReport::kSyncedOperation);
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
  Report(WriterReport::kSynced, n, WriterReport::kClose);
  return 0;
}

}  // namespace
}  // namespace rumcask

int main(int argc, char** argv) { return rumcask::Main(argc, argv); }
