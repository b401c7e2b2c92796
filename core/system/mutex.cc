#include "core/system/mutex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

namespace rumcask {
namespace {

// About as long as it takes to go to sleep and be woken. So a waiter does not spin much longer than
// that for a holder that has lost its processor.
constexpr int kLooks = 100;

void Relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t), "a futex is 32 bits");

// Sleeps while the word has the value; may wake spuriously.
void FutexWait(std::atomic<uint32_t>* word, uint32_t value) {
  ::syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void FutexWakeAll(std::atomic<uint32_t>* word) {
  ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

thread_local LockWaits waits;

// Counts the time from its construction to its destruction as waiting.
class Waiting {
 public:
  Waiting() : begin_(std::chrono::steady_clock::now()) {}
  ~Waiting() {
    ++waits.count;
    waits.nanoseconds += static_cast<uint64_t>(
        std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin_).count());
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  const std::chrono::steady_clock::time_point begin_;
};

}  // namespace

LockWaits ThreadLockWaits() { return waits; }

// ---- Mutex ----

void Mutex::LockSlowly() {
  const Waiting waiting;
  for (int look = 0; look < kLooks; ++look) {
    Relax();
    if (look % 8 == 0 && mutex_.try_lock()) return;
  }
  mutex_.lock();
}

// ---- SharedMutex ----

void SharedMutex::Sleep(uint32_t seen) {
  // A thread that changes the state wakes the sleepers if it finds their mark in it.
  if ((seen & kSleepers) == 0 && !state_.compare_exchange_strong(seen, seen | kSleepers)) return;
  FutexWait(&state_, seen | kSleepers);
}

void SharedMutex::WakeAll() { FutexWakeAll(&state_); }

void SharedMutex::LockSlowly() {
  const Waiting waiting;
  int look = 0;
  while (true) {  // until no other writer is there
    uint32_t state = state_.load();
    if ((state & kWriter) == 0) {
      if (state_.compare_exchange_strong(state, state | kWriter)) break;
    } else if (++look < kLooks) {
      Relax();
    } else {
      Sleep(state);
    }
  }
  for (look = 0;;) {  // until the readers have left
    const uint32_t state = state_.load();
    if ((state & kReaders) == 0) return;
    if (++look < kLooks) {
      Relax();
    } else {
      Sleep(state);
    }
  }
}

void SharedMutex::LockSharedSlowly() {
  const Waiting waiting;
  for (int look = 0; !TryLockShared();) {
    const uint32_t state = state_.load();
    if ((state & kWriter) == 0) continue;
    if (++look < kLooks) {
      Relax();
    } else {
      Sleep(state);
    }
  }
}

// ---- ReadMostlyMutex ----

uint32_t ReadMostlyMutex::NextSlot() {
  static std::atomic<uint32_t> threads{0};
  return threads.fetch_add(1, std::memory_order_relaxed) % kSlots + 1;
}

void ReadMostlyMutex::Lock() {
  writers_.Lock();
  writer_.store(kInside);
  for (Readers& readers : readers_) {
    if (readers.inside.load() == 0) continue;
    const Waiting waiting;
    for (int look = 0; readers.inside.load() != 0;) {
      if (++look < kLooks) {
        Relax();
        continue;
      }
      const uint32_t left = left_.load();
      if (readers.inside.load() != 0) FutexWait(&left_, left);
    }
  }
}

void ReadMostlyMutex::Unlock() {
  if (writer_.exchange(kNone) == kInsideWithSleepers) FutexWakeAll(&writer_);
  writers_.Unlock();
}

void ReadMostlyMutex::WakeWriter() {
  left_.fetch_add(1);
  FutexWakeAll(&left_);
}

// The calling reader is already counted, and is still counted on return.
void ReadMostlyMutex::LockSharedSlowly() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const Waiting waiting;
  int look = 0;
  do {
    UnlockShared();
    for (uint32_t writer = writer_.load(); writer != kNone; writer = writer_.load()) {
      if (++look < kLooks) {
        Relax();
      } else if (writer == kInsideWithSleepers ||
                 writer_.compare_exchange_strong(writer, kInsideWithSleepers)) {
        FutexWait(&writer_, kInsideWithSleepers);
      }
    }
    Slot().fetch_add(1);
  } while (writer_.load() != kNone);
}

}  // namespace rumcask
