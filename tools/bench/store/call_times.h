// How long the calls of one thread take, with and without the time in which it had no processor.

#ifndef RUMCASK_TOOLS_BENCH_STORE_CALL_TIMES_H_
#define RUMCASK_TOOLS_BENCH_STORE_CALL_TIMES_H_

#include <cstdint>
#include <functional>

#include "tools/bench/clock.h"
#include "tools/bench/histogram.h"

namespace rumcask::bench {

// How long the thread that made this has been ready to run and had no processor, in nanoseconds.
class ProcessorWaits {
 public:
  ProcessorWaits();
  ~ProcessorWaits();
  ProcessorWaits(const ProcessorWaits&) = delete;
  ProcessorWaits& operator=(const ProcessorWaits&) = delete;

  // Only on that thread. Always 0 if the kernel does not count it.
  uint64_t Read() const;

 private:
  const int fd_;
};

// A call's own time is what is left without the waits for a processor: on a processor, or blocked
// by a lock, a device or the store. What remains in it is that a thread that held a lock had lost
// its processor, and what the host of a virtual machine took.
class CallTimes {
 public:
  // Nanoseconds of own time, beyond which a call has stalled.
  static constexpr uint64_t kStall = 1000000;
  // Calls that take longer are asked for their waits, because asking takes a microsecond.
  static constexpr uint64_t kSlow = 50000;
  // The waits are also read before one call in so many. What waits there were between that moment
  // and a slow call counts as the slow call's.
  static constexpr uint64_t kLook = 64;

  CallTimes(Clock* clock, std::function<uint64_t()> processor_waits)
      : clock_(clock), processor_waits_(std::move(processor_waits)) {}

  template <typename Call>
  auto Time(Call call) {
    if (calls_++ % kLook == 0) waits_ = processor_waits_();
    const uint64_t begin = clock_->Now();
    auto result = call();
    Add(clock_->Now() - begin);
    return result;
  }

  uint64_t calls() const { return calls_; }
  const Histogram& elapsed() const { return elapsed_; }
  const Histogram& own() const { return own_; }
  // Calls of which all time, or their own, exceeds kStall.
  uint64_t elapsed_stalls() const { return elapsed_stalls_; }
  uint64_t own_stalls() const { return own_stalls_; }

 private:
  void Add(uint64_t nanoseconds);

  Clock* const clock_;
  const std::function<uint64_t()> processor_waits_;
  uint64_t calls_ = 0;
  uint64_t waits_ = 0;  // when last read
  Histogram elapsed_;
  Histogram own_;
  uint64_t elapsed_stalls_ = 0;
  uint64_t own_stalls_ = 0;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_STORE_CALL_TIMES_H_
