#include "tools/bench/process_counters.h"

#include <linux/perf_event.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"

namespace rumcask::bench {
namespace {

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

int OpenCounter(uint32_t type, uint64_t config, bool exclude_kernel) {
  struct perf_event_attr attributes = {};
  attributes.type = type;
  attributes.size = sizeof attributes;
  attributes.config = config;
  attributes.inherit = 1;
  attributes.exclude_kernel = exclude_kernel ? 1 : 0;
  attributes.exclude_hv = 1;
  return static_cast<int>(
      ::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

int OpenSystemCallCounter() {
  for (const char* root : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    uint64_t id = 0;
    if (absl::SimpleAtoi(Contents(std::string(root) + "/events/raw_syscalls/sys_enter/id"), &id)) {
      return OpenCounter(PERF_TYPE_TRACEPOINT, id, /*exclude_kernel=*/false);
    }
  }
  return -1;
}

std::optional<uint64_t> ReadCounter(int fd) {
  uint64_t count = 0;
  if (fd < 0 || ::read(fd, &count, sizeof count) != sizeof count) return std::nullopt;
  return count;
}

double Seconds(const struct timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

std::optional<uint64_t> NumberAfter(const std::string& text, const std::string& name) {
  const std::string wanted = name + ":";
  for (size_t at = text.find(wanted); at != std::string::npos; at = text.find(wanted, at + 1)) {
    // The name must be at the beginning of a line: write_bytes is also the end of
    // cancelled_write_bytes.
    if (at > 0 && text[at - 1] != '\n') continue;
    return std::strtoull(text.c_str() + at + wanted.size(), nullptr, 10);
  }
  return std::nullopt;
}

ProcessCounters::ProcessCounters()
    : instructions_fd_(OpenCounter(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS,
                                   /*exclude_kernel=*/true)),
      system_calls_fd_(OpenSystemCallCounter()) {}

ProcessCounters::~ProcessCounters() {
  if (instructions_fd_ >= 0) ::close(instructions_fd_);
  if (system_calls_fd_ >= 0) ::close(system_calls_fd_);
}

ProcessCounts ProcessCounters::Read() const {
  ProcessCounts counts;
  struct rusage usage;
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    counts.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  }
  const std::string io = Contents("/proc/self/io");
  if (const std::optional<uint64_t> written = NumberAfter(io, "write_bytes")) {
    const uint64_t cancelled = NumberAfter(io, "cancelled_write_bytes").value_or(0);
    counts.device_bytes = *written > cancelled ? *written - cancelled : 0;
  }
  counts.written_bytes = NumberAfter(io, "wchar");
  counts.system_calls = ReadCounter(system_calls_fd_);
  counts.instructions = ReadCounter(instructions_fd_);
  counts.anonymous_bytes = NumberAfter(Contents("/proc/self/status"), "RssAnon").value_or(0) * 1024;
  return counts;
}

}  // namespace rumcask::bench
