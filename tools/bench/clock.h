// A clock that tests can replace.

#ifndef RUMCASK_TOOLS_BENCH_CLOCK_H_
#define RUMCASK_TOOLS_BENCH_CLOCK_H_

#include <cstdint>

namespace rumcask::bench {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Nanoseconds since some fixed time.
  virtual uint64_t Now() = 0;
  // Returns when Now would return at least `time`.
  virtual void WaitUntil(uint64_t time) = 0;
};

// The monotonic clock of the system. WaitUntil sleeps first and spins at the end.
Clock* SystemClock();

// The cost of one call of Now in nanoseconds.
double ClockCost(Clock* clock);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_CLOCK_H_
