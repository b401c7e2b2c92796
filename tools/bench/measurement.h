// What one benchmark on one store in one round came to.

#ifndef RUMCASK_TOOLS_BENCH_MEASUREMENT_H_
#define RUMCASK_TOOLS_BENCH_MEASUREMENT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json_fwd.hpp"

#include "tools/bench/histogram.h"

namespace rumcask::bench {

struct Measurement {
  enum class Outcome { kDone, kNotSupported, kFailed };

  std::string benchmark;
  Outcome outcome = Outcome::kDone;
  // Why not, if it was not done; otherwise what else there is to say, or empty.
  std::string remark;

  // Done once, so that the time is the figure and not operations per second.
  bool single = false;
  uint64_t operations = 0;
  uint64_t puts = 0;
  uint64_t reads = 0;  // keys or entries asked for
  uint64_t found = 0;
  uint64_t read_bytes = 0;     // values, and keys of scans
  uint64_t written_bytes = 0;  // keys and values handed to the store
  double seconds = 0;
  // Equal for equal operations; see OperationStream::work.
  uint64_t work = 0;

  // Nanoseconds. Of some of the operations; see WorkerSettings::sample.
  Histogram latency;
  // Operations per second asked for, or 0: then latency is service time, otherwise it is response
  // time, from the moment the operation should have begun.
  double target = 0;
  bool sustained = true;

  // Of the whole process, background threads included.
  double cpu_seconds = 0;
  std::optional<uint64_t> device_bytes;  // that the kernel was given to write
  std::optional<uint64_t> system_calls;
  std::optional<uint64_t> instructions;

  // At the end.
  uint64_t memory_bytes = 0;       // anonymous memory since before the store was opened
  uint64_t peak_memory_bytes = 0;  // the most of it that was seen, looking five times a second
  uint64_t disk_bytes = 0;         // allocated
  uint64_t live_keys = 0;
  uint64_t live_bytes = 0;  // their keys and values

  double PerSecond() const { return seconds > 0 ? static_cast<double>(operations) / seconds : 0; }
};

// All of it. From is an error if the text is something else.
nlohmann::ordered_json ToJson(const Measurement& measurement);
absl::StatusOr<Measurement> MeasurementFromJson(const nlohmann::ordered_json& json);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_MEASUREMENT_H_
