// Read transactions for any number of threads.
//
// A read transaction that stays open keeps LMDB from reusing the pages that were freed since it
// began, so that the file grows. Each transaction, even an idle one, takes a slot of LMDB's table.
// So every call takes one of a bounded number of transactions and gives it back at once. If all are
// in use, a call waits, but no longer than another call's walk in the tree, because no caller's
// code runs meanwhile.

#ifndef RUMCASK_KEYSTORES_LMDB_LMDB_READERS_H_
#define RUMCASK_KEYSTORES_LMDB_LMDB_READERS_H_

#include <lmdb.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"

#include "core/system/mutex.h"

namespace rumcask {

class LmdbReaders {
 public:
  // Threads are spread over shards, so that they seldom contend for a lock.
  static constexpr size_t kShards = 16;
  static constexpr size_t kShardReaders = 64;
  static constexpr size_t kMostReaders = kShards * kShardReaders;

  // `env` must outlive this object.
  LmdbReaders(MDB_env* env, std::string path);
  ~LmdbReaders();
  LmdbReaders(const LmdbReaders&) = delete;
  LmdbReaders& operator=(const LmdbReaders&) = delete;

  // Waits until no transaction is open, and from then on lets none begin. By one thread at a time.
  void Suspend();
  // Lets them begin again, in `env`. If that is null they fail with `why` until the next Resume,
  // which needs no Suspend then.
  void Resume(MDB_env* env, const absl::Status& why);

  // Approximate memory of the transactions.
  uint64_t MemoryBytes() const;

 private:
  friend class LmdbReader;

  struct alignas(64) Shard {
    Mutex mutex;
    CondVar given_back;
    // Transactions that were reset but keep their slots.
    std::vector<MDB_txn*> idle ABSL_GUARDED_BY(mutex);
    size_t made ABSL_GUARDED_BY(mutex) = 0;
    bool suspended ABSL_GUARDED_BY(mutex) = false;
    // The same in all shards.
    MDB_env* env ABSL_GUARDED_BY(mutex) = nullptr;
    absl::Status why ABSL_GUARDED_BY(mutex);
  };

  const std::string path_;
  std::array<Shard, kShards> shards_;
  std::atomic<uint64_t> made_{0};
};

// A read transaction that sees everything committed before it began.
class LmdbReader {
 public:
  explicit LmdbReader(LmdbReaders* readers);
  ~LmdbReader();
  LmdbReader(const LmdbReader&) = delete;
  LmdbReader& operator=(const LmdbReader&) = delete;

  const absl::Status& status() const { return status_; }
  // Requires that the reader's status is OK.
  MDB_txn* txn() const { return txn_; }

 private:
  LmdbReaders::Shard* const shard_;
  MDB_txn* txn_ = nullptr;
  absl::Status status_;
};

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_LMDB_LMDB_READERS_H_
