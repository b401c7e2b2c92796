// Read transactions for any number of threads.
//
// A transaction that lasts keeps LMDB from using the pages freed since it began, so that the file
// grows; and each, even one at rest, takes a slot of LMDB's table. So every call takes one of a
// bounded number and gives it back at once. With all in use a call waits, which takes no longer
// than another call's walk in the tree: none runs a caller's code.

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
  // Threads are spread over shards, so that they seldom meet at a lock.
  static constexpr size_t kShards = 16;
  static constexpr size_t kShardReaders = 64;
  static constexpr size_t kMostReaders = kShards * kShardReaders;

  // The environment must outlive it.
  LmdbReaders(MDB_env* env, std::string path);
  ~LmdbReaders();
  LmdbReaders(const LmdbReaders&) = delete;
  LmdbReaders& operator=(const LmdbReaders&) = delete;

  // About how much memory the transactions take.
  uint64_t MemoryBytes() const;

 private:
  friend class LmdbReader;

  struct alignas(64) Shard {
    Mutex mutex;
    CondVar given_back;
    // Reset, but with their slots.
    std::vector<MDB_txn*> idle ABSL_GUARDED_BY(mutex);
    size_t made ABSL_GUARDED_BY(mutex) = 0;
  };

  MDB_env* const env_;
  const std::string path_;
  std::array<Shard, kShards> shards_;
  std::atomic<uint64_t> made_{0};
};

// A read transaction of what has been committed now.
class LmdbReader {
 public:
  explicit LmdbReader(LmdbReaders* readers);
  ~LmdbReader();
  LmdbReader(const LmdbReader&) = delete;
  LmdbReader& operator=(const LmdbReader&) = delete;

  const absl::Status& status() const { return status_; }
  // If that is OK.
  MDB_txn* txn() const { return txn_; }

 private:
  LmdbReaders::Shard* const shard_;
  MDB_txn* txn_ = nullptr;
  absl::Status status_;
};

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_LMDB_LMDB_READERS_H_
