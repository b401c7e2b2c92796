// A lock for critical sections of a few dozen nanoseconds, one byte large.

#ifndef RUMCASK_KEYSTORES_HASH_SHARD_LOCK_H_
#define RUMCASK_KEYSTORES_HASH_SHARD_LOCK_H_

#include <sched.h>

#include <atomic>

#include "absl/base/thread_annotations.h"

namespace rumcask {

// Unfair, not recursive. A waiter spins for about as long as a critical section takes and then
// yields its processor, because the holder may have lost its own.
class ABSL_LOCKABLE ShardLock {
 public:
  ShardLock() = default;
  ShardLock(const ShardLock&) = delete;
  ShardLock& operator=(const ShardLock&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    if (locked_.exchange(true, std::memory_order_acquire)) Wait();
  }
  void Unlock() ABSL_UNLOCK_FUNCTION() { locked_.store(false, std::memory_order_release); }

 private:
  void Wait() {
    constexpr int kSpins = 100;
    do {
      for (int i = 0; locked_.load(std::memory_order_relaxed); ++i) {
        if (i >= kSpins) sched_yield();
      }
    } while (locked_.exchange(true, std::memory_order_acquire));
  }

  std::atomic<bool> locked_{false};
};

class ABSL_SCOPED_LOCKABLE ShardLocked {
 public:
  explicit ShardLocked(ShardLock& lock) ABSL_EXCLUSIVE_LOCK_FUNCTION(lock) : lock_(lock) {
    lock_.Lock();
  }
  ~ShardLocked() ABSL_UNLOCK_FUNCTION() { lock_.Unlock(); }
  ShardLocked(const ShardLocked&) = delete;
  ShardLocked& operator=(const ShardLocked&) = delete;

 private:
  ShardLock& lock_;
};

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_HASH_SHARD_LOCK_H_
