// What this process has used so far.

#ifndef RUMCASK_TOOLS_BENCH_PROCESS_COUNTERS_H_
#define RUMCASK_TOOLS_BENCH_PROCESS_COUNTERS_H_

#include <cstdint>
#include <optional>
#include <string>

namespace rumcask::bench {

struct ProcessCounts {
  double cpu_seconds = 0;  // user and system, all threads
  // Bytes of file pages that were made dirty, without those that were dropped before they were
  // written.
  std::optional<uint64_t> device_bytes;
  std::optional<uint64_t> written_bytes;  // that were passed to calls that write
  std::optional<uint64_t> system_calls;
  std::optional<uint64_t> instructions;  // user space
  uint64_t anonymous_bytes = 0;          // memory in use that belongs to no file
};

// Counts for this thread and for threads that are started later. A figure is missing where the
// kernel or the virtual machine does not allow counting it.
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

// The number that follows `name` in a file with lines such as "RssAnon:  123 kB".
std::optional<uint64_t> NumberAfter(const std::string& text, const std::string& name);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_PROCESS_COUNTERS_H_
