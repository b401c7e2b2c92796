#include "keystores/lmdb/lmdb_readers.h"

#include <utility>

#include "keystores/lmdb/lmdb_environment.h"

namespace rumcask {
namespace {

// Bytes of a transaction and its slot, from LMDB's source.
constexpr uint64_t kReaderBytes = 400;

size_t ShardOfThread() {
  static std::atomic<size_t> threads{0};
  thread_local const size_t shard =
      threads.fetch_add(1, std::memory_order_relaxed) % LmdbReaders::kShards;
  return shard;
}

}  // namespace

LmdbReaders::LmdbReaders(MDB_env* env, std::string path) : path_(std::move(path)) {
  Resume(env, absl::OkStatus());
}

LmdbReaders::~LmdbReaders() { Suspend(); }

void LmdbReaders::Suspend() {
  for (Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    shard.suspended = true;
    while (shard.idle.size() < shard.made) shard.given_back.Wait(shard.mutex);
    for (MDB_txn* txn : shard.idle) mdb_txn_abort(txn);
    made_.fetch_sub(shard.idle.size(), std::memory_order_relaxed);
    shard.idle.clear();
    shard.made = 0;
  }
}

void LmdbReaders::Resume(MDB_env* env, const absl::Status& why) {
  for (Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    shard.suspended = false;
    shard.env = env;
    shard.why = why;
    shard.given_back.NotifyAll();
  }
}

uint64_t LmdbReaders::MemoryBytes() const {
  return sizeof *this + made_.load(std::memory_order_relaxed) * kReaderBytes;
}

LmdbReader::LmdbReader(LmdbReaders* readers) : shard_(&readers->shards_[ShardOfThread()]) {
  MDB_env* env = nullptr;
  {
    MutexLock lock(shard_->mutex);
    while (shard_->suspended ||
           (shard_->idle.empty() && shard_->made == LmdbReaders::kShardReaders)) {
      shard_->given_back.Wait(shard_->mutex);
    }
    env = shard_->env;
    if (env == nullptr) {
      status_ = shard_->why;
      return;
    }
    if (shard_->idle.empty()) {
      ++shard_->made;
    } else {
      txn_ = shard_->idle.back();
      shard_->idle.pop_back();
    }
  }
  const bool had_one = txn_ != nullptr;
  const int result = had_one ? mdb_txn_renew(txn_) : mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn_);
  if (result == MDB_SUCCESS) {
    if (!had_one) readers->made_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  status_ = LmdbStatus(had_one ? "mdb_txn_renew" : "mdb_txn_begin", readers->path_, result);
  if (had_one) {
    mdb_txn_abort(txn_);
    readers->made_.fetch_sub(1, std::memory_order_relaxed);
  }
  txn_ = nullptr;
  MutexLock lock(shard_->mutex);
  --shard_->made;
  shard_->given_back.NotifyAll();
}

LmdbReader::~LmdbReader() {
  if (txn_ == nullptr) return;
  mdb_txn_reset(txn_);
  MutexLock lock(shard_->mutex);
  shard_->idle.push_back(txn_);
  // The thread that suspends waits as well as readers do.
  if (shard_->suspended) {
    shard_->given_back.NotifyAll();
  } else {
    shard_->given_back.NotifyOne();
  }
}

}  // namespace rumcask
