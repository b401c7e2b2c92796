// What threads did to a database and what they saw: the input of the linearizability checker.

#ifndef RUMCASK_TESTS_LINEARIZABILITY_HISTORY_H_
#define RUMCASK_TESTS_LINEARIZABILITY_HISTORY_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace rumcask {

// One key's share of one call. A batch or a MultiGet makes one event for each of its keys.
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
  // Of a read: the key was found. Of a write: it was not refused by its condition.
  bool ok = false;
  // What the write said about the key's state before; meaningful if `told_existed`.
  bool existed = false;
  bool told_existed = false;
  // Whether `version` was told; otherwise it is unknown.
  bool told_version = false;
  // Of a batch that names a key twice: this event takes effect after the one before it in the
  // thread's list.
  bool after_previous = false;
  uint32_t key = 0;
  // By the history's clock: before the call and after its return.
  uint64_t begin = 0;
  uint64_t end = 0;
  // The unique number of the value written or read.
  uint64_t value = 0;
  // Read, written, or in the way of a conditional write; 0 for a missing key.
  uint64_t version = 0;
  // What a compare-and-... asked for.
  uint64_t expected = 0;
  // Events of one batch have the same number, others 0.
  uint64_t batch = 0;
};

using History = std::vector<Event>;

// For messages.
std::string ToString(const Event& event);

// Orders calls of all threads. An operation that ended at t happened before one that began at u >
// t.
//
// On x86 every read-modify-write is a full barrier, so relaxed order suffices there, and must be
// used: a stronger one would make ThreadSanitizer believe that the clock synchronises the threads,
// and the races this test is to find would be hidden.
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
