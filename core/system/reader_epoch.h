// Tells when nobody reads any longer what has been taken out of sight.
//
// A segment that compaction has emptied may still be read by whoever looked its location up before.
// So readers announce themselves: each thread stores the current epoch into a cache line of its own
// before it looks anything up, and a zero when it has used what it found. Whoever wants to free
// something first makes sure that nobody can find it any more, then begins a new epoch, and waits
// until no thread announces an older one. Readers never wait, need no locked instruction, and write
// to no line that another thread writes to.
//
// Why no fence is needed: readers look locations up under a lock (of a shard, of a part of a tree,
// of the buffers in front of an index), and whoever replaces a location holds that lock. A reader
// that found the old location held the lock first. Its announcement comes before its unlocking,
// which comes before the replacement, which comes before the new epoch. So it is seen, and it names
// an older epoch. A reader that held the lock later finds the new location.
//
// This is epoch-based reclamation (Fraser, "Practical lock-freedom", 2004), with one grace period
// at a time.

#ifndef RUMCASK_CORE_SYSTEM_READER_EPOCH_H_
#define RUMCASK_CORE_SYSTEM_READER_EPOCH_H_

#include "rumcask/require_cxx17.h"

#include <atomic>
#include <cstdint>

namespace rumcask {

// What a thread announces. There is one for each thread that ever read, reused when it has ended.
struct alignas(64) ReaderSlot {
  // The epoch in which the thread began to read; 0 while it does not.
  std::atomic<uint64_t> entered{0};
  std::atomic<bool> taken{false};  // whether a thread has it
  ReaderSlot* next = nullptr;      // in the list of all slots
};

// The current epoch, one for the whole process. Thread-safe.
class ReaderEpoch {
 public:
  // Begins a new epoch and returns it. What was findable before it can be in use only by threads
  // that announce an older one.
  static uint64_t Begin() { return now_.fetch_add(1) + 1; }
  // Whether no thread announces an epoch older than `epoch`.
  static bool HasPassed(uint64_t epoch);
  // Whether the calling thread is in a ReaderScope. Such a thread must not wait for anything that
  // may wait for readers.
  static bool IsReading() {
    return mine_ != nullptr && mine_->entered.load(std::memory_order_relaxed) != 0;
  }

 private:
  friend class ReaderScope;

  // Gives the calling thread a slot, until it ends.
  static ReaderSlot* TakeSlot();

  static std::atomic<uint64_t> now_;
  static inline thread_local ReaderSlot* mine_ = nullptr;
};

// The calling thread reads while it exists, or until Leave. A scope within another one changes
// nothing.
class ReaderScope {
 public:
  ReaderScope() : ReaderScope(/*reads=*/true) {}
  // Does nothing unless the thread `reads`.
  explicit ReaderScope(bool reads) {
    if (!reads) return;
    ReaderSlot* slot = ReaderEpoch::mine_;
    if (slot == nullptr) slot = ReaderEpoch::TakeSlot();
    if (slot->entered.load(std::memory_order_relaxed) != 0) return;
    slot->entered.store(ReaderEpoch::now_.load(std::memory_order_relaxed),
                        std::memory_order_release);
    slot_ = slot;
  }
  ~ReaderScope() { Leave(); }
  // Ends the reading before the scope does. Has no effect when called again.
  void Leave() {
    if (slot_ == nullptr) return;
    slot_->entered.store(0, std::memory_order_release);
    slot_ = nullptr;
  }
  ReaderScope(const ReaderScope&) = delete;
  ReaderScope& operator=(const ReaderScope&) = delete;

 private:
  // Null within another scope.
  ReaderSlot* slot_ = nullptr;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_SYSTEM_READER_EPOCH_H_
