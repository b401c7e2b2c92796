#include "tools/advise/peak_memory.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace rumcask::advise {

PeakMemory::PeakMemory()
    : before_(counters_.Read().anonymous_bytes), thread_([this] { Watch(); }) {}

PeakMemory::~PeakMemory() {
  stop_.store(true, std::memory_order_relaxed);
  thread_.join();
}

uint64_t PeakMemory::now() const {
  const uint64_t bytes = counters_.Read().anonymous_bytes;
  return bytes - std::min(bytes, before_);
}

void PeakMemory::Watch() {
  constexpr std::chrono::milliseconds kPause(2);
  while (!stop_.load(std::memory_order_relaxed)) {
    // Nobody else writes it.
    peak_.store(std::max(peak(), now()), std::memory_order_relaxed);
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace rumcask::advise
