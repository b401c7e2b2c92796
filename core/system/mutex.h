// Locks, with Clang's thread-safety annotations.
//
// absl::Mutex is not used: ThreadSanitizer cannot see into a distribution's uninstrumented
// libabsl_synchronization and reports races that are not there.

#ifndef RUMCASK_CORE_SYSTEM_MUTEX_H_
#define RUMCASK_CORE_SYSTEM_MUTEX_H_

#include "rumcask/require_cxx17.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "absl/base/thread_annotations.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RUMCASK_THREAD_SANITIZER
#endif
#endif

namespace rumcask {

// How often and how long the calling thread has waited for locks of this file so far, for
// benchmarks. Taking a free lock costs nothing more because of it.
struct LockWaits {
  uint64_t count = 0;
  uint64_t nanoseconds = 0;
};

// What the calling thread has waited so far.
LockWaits ThreadLockWaits();

// An exclusive lock. Not recursive. A waiter spins for some microseconds before it sleeps.
class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  // These wait for the lock, and give it back.
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    if (!mutex_.try_lock()) LockSlowly();
  }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }
  // Tells the analysis, not the program, that the lock is held.
  void AssertHeld() const ABSL_ASSERT_EXCLUSIVE_LOCK() {}

 private:
  friend class CondVar;
  void LockSlowly();

  std::mutex mutex_;
};

// Holds a Mutex while it exists.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  // Waits for the lock.
  explicit MutexLock(Mutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_.Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// A lock that readers share, for short critical sections. It is one word. While a writer waits, no
// further reader gets in. Not recursive.
//
// A waiter spins for some microseconds before it sleeps. pthread_rwlock puts it to sleep at once,
// and waking up takes longer than the critical section that it waited for; a reader and a writer
// that meet often would then spend most of their time asleep.
class ABSL_LOCKABLE SharedMutex {
 public:
  SharedMutex() = default;
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  // These wait for the lock, for one writer or for any number of readers, and give it back.
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    uint32_t state = 0;
    if (!state_.compare_exchange_strong(state, kWriter)) LockSlowly();
  }
  void Unlock() ABSL_UNLOCK_FUNCTION() {
    if ((state_.exchange(0) & kSleepers) != 0) WakeAll();
  }
  void LockShared() ABSL_SHARED_LOCK_FUNCTION() {
    if (!TryLockShared()) LockSharedSlowly();
  }
  void UnlockShared() ABSL_UNLOCK_FUNCTION() {
    // This is the last reader, and a writer sleeps until there is none.
    if (state_.fetch_sub(1) == (kWriter | kSleepers | 1)) {
      state_.fetch_and(~kSleepers);
      WakeAll();
    }
  }

 private:
  // A writer is inside, or it waits for the readers inside to leave.
  static constexpr uint32_t kWriter = uint32_t{1} << 31;
  static constexpr uint32_t kSleepers = uint32_t{1} << 30;
  // The remaining bits count the readers inside.
  static constexpr uint32_t kReaders = kSleepers - 1;

  bool TryLockShared() {
    uint32_t state = state_.load(std::memory_order_relaxed);
    while ((state & kWriter) == 0) {
      if (state_.compare_exchange_weak(state, state + 1)) return true;
    }
    return false;
  }
  void LockSlowly();
  void LockSharedSlowly();
  // Sleeps if the state is still `seen`.
  void Sleep(uint32_t seen);
  void WakeAll();

  std::atomic<uint32_t> state_{0};
};

// A lock like SharedMutex for data that is read all the time and hardly ever changed. Readers on
// different processors write to different cache lines, and a writer checks all of them. Takes about
// a kilobyte.
class ABSL_LOCKABLE ReadMostlyMutex {
 public:
  ReadMostlyMutex() = default;
  ReadMostlyMutex(const ReadMostlyMutex&) = delete;
  ReadMostlyMutex& operator=(const ReadMostlyMutex&) = delete;

  // These wait for the lock, for one writer or for any number of readers, and give it back.
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION();
  void Unlock() ABSL_UNLOCK_FUNCTION();
  void LockShared() ABSL_SHARED_LOCK_FUNCTION() {
    // Either this reader sees the writer, or the writer sees this reader.
    Slot().fetch_add(1);
    if (writer_.load() != kNone) LockSharedSlowly();
  }
  void UnlockShared() ABSL_UNLOCK_FUNCTION() {
    Slot().fetch_sub(1);
    if (writer_.load() != kNone) WakeWriter();
  }

 private:
  static constexpr size_t kSlots = 16;
  enum Writer : uint32_t { kNone, kInside, kInsideWithSleepers };
  struct alignas(64) Readers {
    std::atomic<uint32_t> inside{0};
  };

  // The slot of the calling thread.
  std::atomic<uint32_t>& Slot() { return readers_[SlotOfThread()].inside; }
  static size_t SlotOfThread() {
    thread_local uint32_t slot = 0;  // slot number plus one; 0 if none was assigned yet
    if (slot == 0) slot = NextSlot();
    return slot - 1;
  }
  static uint32_t NextSlot();
  void LockSharedSlowly();
  void WakeWriter();

  Readers readers_[kSlots];
  Mutex writers_;
  std::atomic<uint32_t> writer_{kNone};
  // Changes whenever a reader leaves while a writer waits.
  std::atomic<uint32_t> left_{0};
};

// Holds a SharedMutex or ReadMostlyMutex for reading while it exists.
template <typename Lockable>
class ABSL_SCOPED_LOCKABLE SharedLock {
 public:
  // Waits for the lock.
  explicit SharedLock(Lockable& mutex) ABSL_SHARED_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_.LockShared();
  }
  ~SharedLock() ABSL_UNLOCK_FUNCTION() { mutex_.UnlockShared(); }
  SharedLock(const SharedLock&) = delete;
  SharedLock& operator=(const SharedLock&) = delete;

 private:
  Lockable& mutex_;
};

// Holds a SharedMutex or ReadMostlyMutex for writing while it exists.
template <typename Lockable>
class ABSL_SCOPED_LOCKABLE ExclusiveLock {
 public:
  // Waits for the lock.
  explicit ExclusiveLock(Lockable& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_.Lock();
  }
  ~ExclusiveLock() ABSL_UNLOCK_FUNCTION() { mutex_.Unlock(); }
  ExclusiveLock(const ExclusiveLock&) = delete;
  ExclusiveLock& operator=(const ExclusiveLock&) = delete;

 private:
  Lockable& mutex_;
};

// A condition variable for Mutex. Wakes spuriously, like every condition variable: wait in a loop.
class CondVar {
 public:
  // These give the lock back while they wait, and hold it again when they return.
  void Wait(Mutex& mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  void WaitFor(Mutex& mutex, std::chrono::nanoseconds timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
#ifdef RUMCASK_THREAD_SANITIZER
    // pthread_cond_clockwait, which wait_for uses, is unknown to the ThreadSanitizer of clang 14.
    condition_.wait_until(
        lock, std::chrono::system_clock::now() +
                  std::chrono::duration_cast<std::chrono::system_clock::duration>(timeout));
#else
    condition_.wait_for(lock, timeout);
#endif
    lock.release();
  }

  // These wake one waiter, or all of them.
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_SYSTEM_MUTEX_H_
