// Writes with four threads until it is killed.
//
//   writers DB KEYSTORE mapped|write WORK FIGURES N1 N2 N3 N4
//
// WORK is "spread": over many keys. Or it is about compaction: "churn" overwrites and deletes the
// same keys again and again, partly by conditional writes, so that the database compacts by itself
// all the time; with "churn-some" and "churn-all" another thread calls CompactSome and CompactAll
// as well. One more thread reads at snapshots then, and the file FIGURES gets a WriterFigures,
// again and again. If the database has another keystore, it is reindexed.
//
// Just before opening the database it closes the descriptor after the writers' descriptors. Thread
// i begins with its operation Ni. After each operation that returned OK it writes the number, 8
// bytes, to descriptor 3 + i.

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/db.h"
#include "core/format/limits.h"
#include "core/stats.h"
#include "core/system/seeded_bug.h"
#include "keystores/by_name.h"
#include "tests/kill/writer_figures.h"
#include "tests/oracle/operations.h"
#include "tests/workloads/writer_operations.h"

namespace rumcask {
namespace {

constexpr uint64_t kBufferBytes = uint64_t{32} << 10;
constexpr uint64_t kReplayBytes = uint64_t{256} << 10;

// Of churn, which has little that is live.
constexpr uint64_t kChurnBufferBytes = uint64_t{8} << 10;
constexpr uint64_t kChurnReplayBytes = uint64_t{64} << 10;
constexpr uint64_t kConditionalEvery = 3;
constexpr std::chrono::milliseconds kPause{2};
// Between the two times that a snapshot is read, so that compactions come in between.
constexpr std::chrono::milliseconds kSnapshotLasts{20};
constexpr uint64_t kSomeBytes = uint64_t{16} << 10;

[[noreturn]] void Fail(const absl::Status& status) {
  std::cerr << status << std::endl;
  std::_Exit(1);
}

void Acknowledge(int writer, uint64_t n) {
  if (::write(kFirstAcknowledgement + writer, &n, sizeof(n)) != sizeof(n)) {
    Fail(absl::InternalError("nobody listens"));
  }
}

// Of one key that only this thread writes, so that the condition holds.
absl::Status PerformIfUnchanged(const Operation& operation, DB* db, const WriteOptions& options) {
  const auto& [key, value] = operation;
  std::string old;
  uint64_t version = 0;
  const absl::Status status = db->Get(key, &old, {}, &version);
  if (!status.ok() && !absl::IsNotFound(status)) return status;
  return value.has_value() ? db->CompareAndPut(key, *value, version, options)
                           : db->CompareAndDelete(key, version, options);
}

void WriteForever(DB* db, int writer, bool churn, uint64_t n) {
  for (;; ++n) {
    const WriterOperation operation = churn ? ChurnOf(writer, n) : OperationOf(writer, n);
    if (SeededBug("acknowledged-first")) Acknowledge(writer, n);
    const bool conditional = churn && n % kConditionalEvery == 0 && operation.changes.size() == 1;
    const absl::Status status =
        conditional ? PerformIfUnchanged(operation.changes.front(), db, {operation.sync})
                    : Perform(operation.changes, db, {operation.sync});
    if (!status.ok()) Fail(status);
    if (!SeededBug("acknowledged-first")) Acknowledge(writer, n);
  }
}

// Walks all keys at a snapshot and then, while they are replaced and moved, gets each of them
// there. Returns whether the snapshot was kept until the end.
bool ReadAtSnapshot(DB* db) {
  const auto snapshot = db->TakeSnapshot();
  if (!snapshot.ok()) Fail(snapshot.status());
  IteratorOptions options;
  options.snapshot = *snapshot;
  const auto it = db->NewIterator(options);
  if (absl::IsResourceExhausted(it.status())) return false;
  if (!it.ok()) Fail(it.status());
  State walked;
  for (; (*it)->Valid(); (*it)->Next()) {
    if (!walked.emplace((*it)->key(), (*it)->value()).second) {
      Fail(absl::DataLossError("an iterator yields a key twice"));
    }
  }
  if (absl::IsResourceExhausted((*it)->status())) return false;
  if (!(*it)->status().ok()) Fail((*it)->status());
  std::this_thread::sleep_for(kSnapshotLasts);
  std::string value;
  for (int writer = 0; writer < kWriters; ++writer) {
    for (uint64_t i = 0; i < kKeysPerWriter; ++i) {
      const std::string key = WriterKey(writer, i);
      const absl::Status status = db->Get(key, &value, {snapshot->get()});
      if (absl::IsResourceExhausted(status)) return false;
      if (!status.ok() && !absl::IsNotFound(status)) Fail(status);
      const auto at = walked.find(key);
      if (status.ok() ? at == walked.end() || at->second != value : at != walked.end()) {
        Fail(absl::DataLossError("a walk and Get differ at a snapshot about " + key));
      }
    }
  }
  return true;
}

void ReadForever(DB* db, std::atomic<uint64_t>* snapshots) {
  for (;;) {
    if (ReadAtSnapshot(db)) snapshots->fetch_add(1);
    std::this_thread::sleep_for(kPause);
  }
}

[[noreturn]] void CompactForever(DB* db, std::string_view work, const char* path) {
  std::atomic<uint64_t> snapshots{0};
  const std::thread reader(ReadForever, db, &snapshots);
  const int file = ::open(path, O_WRONLY | O_CLOEXEC);
  for (;;) {
    absl::Status status;
    if (work == "churn-some") status = db->CompactSome(kSomeBytes);
    if (work == "churn-all") status = db->CompactAll();
    if (!status.ok()) Fail(status);
    const CompactionStats stats = db->GetStats().compaction;
    const WriterFigures figures = {stats.retired_segments, stats.running, snapshots.load()};
    if (::pwrite(file, &figures, sizeof(figures), 0) != sizeof(figures)) {
      Fail(absl::InternalError("no figures"));
    }
    std::this_thread::sleep_for(kPause);
  }
}

int Main(int argc, char** argv) {
  if (argc != 6 + kWriters) return 64;
  const std::string_view work = argv[4];
  const bool churn = work != "spread";
  absl::StatusOr<KeystoreFactory> keystore = KeystoreByName(argv[2]);
  if (!keystore.ok()) Fail(keystore.status());
  Options options;
  options.create_if_missing = true;
  // Small buffers, so that an index on disk changes all the time.
  keystore->buffer_bytes = churn ? kChurnBufferBytes : kBufferBytes;
  options.replay_bytes = churn ? kChurnReplayBytes : kReplayBytes;
  options.reindex = churn;
  options.keystore = *std::move(keystore);
  // Small segments, so that many are begun and sealed in a short time.
  options.segment_bytes = churn ? kMinSegmentBytes : uint64_t{1} << 20;
  options.append_mode =
      std::string_view(argv[3]) == "mapped" ? AppendMode::kMapped : AppendMode::kWrite;
  ::close(kOpening);
  auto db = DB::Open(argv[1], options);
  if (!db.ok()) Fail(db.status());
  const Stats stats = (*db)->GetStats();
  if (!stats.index_rebuilt.empty()) std::cerr << "built anew: " << stats.index_rebuilt << std::endl;
  std::vector<std::thread> threads;
  for (int i = 0; i < kWriters; ++i) {
    threads.emplace_back(WriteForever, db->get(), i, churn,
                         std::strtoull(argv[6 + i], nullptr, 10));
  }
  if (churn) CompactForever(db->get(), work, argv[5]);
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace rumcask

int main(int argc, char** argv) { return rumcask::Main(argc, argv); }
