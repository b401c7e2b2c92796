// What threads did to a database and what they saw. The input of the linearizability checker.

#ifndef RUMCASK_TESTS_LINEARIZABILITY_HISTORY_H_
#define RUMCASK_TESTS_LINEARIZABILITY_HISTORY_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace rumcask {

// The part of one call that concerns one key. A batch or a MultiGet makes one event for each of its
// keys.
struct Event {
  enum class Kind : uint8_t {
    kRead,
    kPut,
    kDelete,
    kPutIfAbsent,
    kCompareAndPut,
    kCompareAndDelete,
  };

  Kind kind = Kind::kRead;
  uint8_t thread = 0;
  // For a read: the key was found. For a write: its condition did not refuse it.
  bool ok = false;
  // The write's answer whether the key existed before; only valid if `told_existed`.
  bool existed = false;
  bool told_existed = false;
  // Whether the call returned `version`; otherwise it is unknown.
  bool told_version = false;
  // For a batch that names a key twice: this event takes effect after the one before it in the
  // thread's list.
  bool after_previous = false;
  uint32_t key = 0;
  // Times of the history's clock, before the call and after its return.
  uint64_t begin = 0;
  uint64_t end = 0;
  // The unique number of the value that was written or read.
  uint64_t value = 0;
  // The version that was read, written, or refused a conditional write; 0 for a missing key.
  uint64_t version = 0;
  // The version that a compare-and-... call expected.
  uint64_t expected = 0;
  // The same number for all events of one batch; 0 for other events.
  uint64_t batch = 0;
};

using History = std::vector<Event>;

// For messages.
std::string ToString(const Event& event);

// Orders the calls of all threads. An operation that ended at t happened before one that began at u
// > t.
//
// Relaxed order must be used. It suffices, because on x86 every read-modify-write is a full
// barrier. A stronger order would make ThreadSanitizer believe that the clock synchronises the
// threads, and would hide the races that this test is to find.
class HistoryClock {
 public:
  uint64_t Tick() {
#if defined(__x86_64__)
    std::atomic_signal_fence(std::memory_order_seq_cst);
    const uint64_t now = time_.fetch_add(1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return now;
#else
    return time_.fetch_add(1, std::memory_order_seq_cst);
#endif
  }

 private:
  std::atomic<uint64_t> time_{1};
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_LINEARIZABILITY_HISTORY_H_
