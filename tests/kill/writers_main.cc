// Writes with four threads until it is killed.
//
//   writers DB KEYSTORE mapped|write N1 N2 N3 N4
//
// Just before opening the database it closes the descriptor after the writers' descriptors. Thread
// i begins with its operation Ni. After each operation that returned OK it writes the number, 8
// bytes, to descriptor 3 + i.

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/db.h"
#include "core/stats.h"
#include "core/system/seeded_bug.h"
#include "keystores/by_name.h"
#include "tests/workloads/writer_operations.h"

namespace rumcask {
namespace {

constexpr uint64_t kBufferBytes = uint64_t{32} << 10;
constexpr uint64_t kReplayBytes = uint64_t{256} << 10;

[[noreturn]] void Fail(const absl::Status& status) {
  std::cerr << status << std::endl;
  std::_Exit(1);
}

void Acknowledge(int writer, uint64_t n) {
  if (::write(kFirstAcknowledgement + writer, &n, sizeof(n)) != sizeof(n)) {
    Fail(absl::InternalError("nobody listens"));
  }
}

void WriteForever(DB* db, int writer, uint64_t n) {
  for (;; ++n) {
    const WriterOperation operation = OperationOf(writer, n);
    if (SeededBug("acknowledged-first")) Acknowledge(writer, n);
    const absl::Status status = Perform(operation.changes, db, {operation.sync});
    if (!status.ok()) Fail(status);
    if (!SeededBug("acknowledged-first")) Acknowledge(writer, n);
  }
}

int Main(int argc, char** argv) {
  if (argc != 4 + kWriters) return 64;
  absl::StatusOr<KeystoreFactory> keystore = KeystoreByName(argv[2]);
  if (!keystore.ok()) Fail(keystore.status());
  Options options;
  options.create_if_missing = true;
  // Small buffers, so that an index on disk changes all the time.
  keystore->buffer_bytes = kBufferBytes;
  options.replay_bytes = kReplayBytes;
  options.keystore = *std::move(keystore);
  // Small segments, so that many are begun and sealed in a short time.
  options.segment_bytes = uint64_t{1} << 20;
  options.append_mode =
      std::string_view(argv[3]) == "mapped" ? AppendMode::kMapped : AppendMode::kWrite;
  ::close(kOpening);
  auto db = DB::Open(argv[1], options);
  if (!db.ok()) Fail(db.status());
  const Stats stats = (*db)->GetStats();
  if (!stats.index_rebuilt.empty()) std::cerr << "built anew: " << stats.index_rebuilt << std::endl;
  std::vector<std::thread> threads;
  for (int i = 0; i < kWriters; ++i) {
    threads.emplace_back(WriteForever, db->get(), i, std::strtoull(argv[4 + i], nullptr, 10));
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace rumcask

int main(int argc, char** argv) { return rumcask::Main(argc, argv); }
