// What this process has used so far.

#ifndef RUMCASK_TOOLS_BENCH_PROCESS_COUNTERS_H_
#define RUMCASK_TOOLS_BENCH_PROCESS_COUNTERS_H_

#include <cstdint>
#include <optional>
#include <string>

namespace rumcask::bench {

struct ProcessCounts {
  double cpu_seconds = 0;  // user and system, all threads
  // Of files' pages made dirty, less those dropped again before they were written.
  std::optional<uint64_t> device_bytes;
  std::optional<uint64_t> system_calls;
  std::optional<uint64_t> instructions;  // user space
  uint64_t anonymous_bytes = 0;          // memory in use that is no file's
};

// Counts this thread and those that are started later. Where the kernel or the virtual machine
// does not let it count, the figure is missing.
class ProcessCounters {
 public:
  ProcessCounters();
  ~ProcessCounters();
  ProcessCounters(const ProcessCounters&) = delete;
  ProcessCounters& operator=(const ProcessCounters&) = delete;

  ProcessCounts Read() const;

 private:
  const int instructions_fd_;
  const int system_calls_fd_;
};

// The number that `name` has in a file of lines such as "RssAnon:  123 kB".
std::optional<uint64_t> NumberAfter(const std::string& text, const std::string& name);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_PROCESS_COUNTERS_H_
