#include "tools/bench/store/call_times.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace rumcask::bench {

ProcessorWaits::ProcessorWaits() : fd_(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)) {}

ProcessorWaits::~ProcessorWaits() {
  if (fd_ >= 0) close(fd_);
}

uint64_t ProcessorWaits::Read() const {
  // Nanoseconds on a processor, nanoseconds of waiting for one, time slices.
  char text[128];
  const ssize_t length = fd_ < 0 ? -1 : pread(fd_, text, sizeof text - 1, 0);
  if (length <= 0) return 0;
  text[length] = '\0';
  char* end = nullptr;
  (void)std::strtoull(text, &end, 10);
  return std::strtoull(end, nullptr, 10);
}

void CallTimes::Add(uint64_t nanoseconds) {
  uint64_t own = nanoseconds;
  if (nanoseconds > kSlow) {
    const uint64_t waits = processor_waits_();
    own -= std::min(own, waits - waits_);
    waits_ = waits;
  }
  elapsed_.Record(nanoseconds);
  own_.Record(own);
  elapsed_stalls_ += nanoseconds > kStall;
  own_stalls_ += own > kStall;
}

}  // namespace rumcask::bench
