#include "tools/bench/clock.h"

#include <chrono>
#include <cstdint>
#include <thread>

namespace rumcask::bench {
namespace {

class MonotonicClock : public Clock {
 public:
  uint64_t Now() override {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                     std::chrono::steady_clock::now().time_since_epoch())
                                     .count());
  }

  void WaitUntil(uint64_t time) override {
    // Longer than a sleeping thread may oversleep.
    constexpr uint64_t kSpin = 100000;
    for (uint64_t now = Now(); now < time; now = Now()) {
      if (time - now > kSpin) {
        std::this_thread::sleep_for(std::chrono::nanoseconds(time - now - kSpin));
      }
    }
  }
};

}  // namespace

Clock* SystemClock() {
  static auto* const clock = new MonotonicClock;
  return clock;
}

double ClockCost(Clock* clock) {
  constexpr int kCalls = 10000;
  const uint64_t begin = clock->Now();
  for (int i = 0; i < kCalls; ++i) (void)clock->Now();
  return static_cast<double>(clock->Now() - begin) / (kCalls + 1);
}

}  // namespace rumcask::bench
