// Looks at what a thread does while it holds a lock: instruction by instruction, system calls
// included, whoever makes them.

#ifndef RUMCASK_TESTS_COMPACTION_LOCK_WATCH_H_
#define RUMCASK_TESTS_COMPACTION_LOCK_WATCH_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/system/mutex.h"

// Single-stepping is the processor's. Sanitizers have a pthread_mutex_lock of their own, and their
// instructions are not the program's.
#if defined(__x86_64__)
#define RUMCASK_LOCK_WATCH
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#undef RUMCASK_LOCK_WATCH
#endif
#endif

namespace rumcask {

// Whether the calling thread holds the lock.
bool HoldsLock(const Mutex& mutex);

#ifdef RUMCASK_LOCK_WATCH

// From the locking to the unlocking.
struct Hold {
  // What the thread was at, as it said itself.
  std::string step;
  uint64_t instructions = 0;
  // Numbers of the system calls.
  std::vector<uint64_t> calls;
};

// Watches how the thread that makes it holds `mutex`. One at a time in a process.
//
// It takes the place of the C library's locking functions, and has the processor trap after each
// instruction between the two.
class LockWatch {
 public:
  explicit LockWatch(const Mutex& mutex);
  ~LockWatch();
  LockWatch(const LockWatch&) = delete;
  LockWatch& operator=(const LockWatch&) = delete;

  // What the thread does from now on.
  void SetStep(std::string step) { step_ = std::move(step); }
  const std::vector<Hold>& holds() const { return holds_; }

  // For the functions that lock.
  void Note(Hold hold);

 private:
  std::string step_;
  std::vector<Hold> holds_;
};

#endif  // RUMCASK_LOCK_WATCH

}  // namespace rumcask

#endif  // RUMCASK_TESTS_COMPACTION_LOCK_WATCH_H_
