// The result of one benchmark on one store in one round.

#ifndef RUMCASK_TOOLS_BENCH_MEASUREMENT_H_
#define RUMCASK_TOOLS_BENCH_MEASUREMENT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json_fwd.hpp"

#include "tools/bench/histogram.h"
#include "tools/bench/timeline.h"

namespace rumcask::bench {

struct Measurement {
  enum class Outcome { kDone, kNotSupported, kFailed };

  std::string benchmark;
  Outcome outcome = Outcome::kDone;
  // The reason if it was not done; otherwise a remark, or empty.
  std::string remark;

  // The work is done once, so the result is the time and not operations per second.
  bool single = false;
  uint64_t operations = 0;
  uint64_t puts = 0;
  uint64_t reads = 0;  // keys or entries requested
  uint64_t found = 0;
  uint64_t read_bytes = 0;     // bytes of values, and of keys of scans
  uint64_t written_bytes = 0;  // bytes of keys and values given to the store
  double seconds = 0;
  // Equal for equal operations; see OperationStream::work.
  uint64_t work = 0;

  // In nanoseconds, for a sample of the operations; see WorkerSettings::sample.
  Histogram latency;
  // The requested operations per second, or 0. With 0 the latency is the service time. Otherwise it
  // is the response time, counted from the moment at which the operation should have begun.
  double target = 0;
  bool sustained = true;
  // Sampled five times a second, so that a short benchmark has the last point only.
  Timeline timeline;

  // For the whole process, background threads included.
  double cpu_seconds = 0;
  std::optional<uint64_t> device_bytes;  // that the kernel was given to write
  std::optional<uint64_t> system_calls;
  std::optional<uint64_t> instructions;

  // The state at the end.
  uint64_t memory_bytes = 0;       // growth of anonymous memory since before the store was opened
  uint64_t peak_memory_bytes = 0;  // its maximum, sampled five times a second
  uint64_t disk_bytes = 0;         // allocated
  uint64_t live_keys = 0;
  uint64_t live_bytes = 0;  // bytes of those keys and their values

  double PerSecond() const { return seconds > 0 ? static_cast<double>(operations) / seconds : 0; }
};

// Convert the whole measurement. From returns an error if the text is something else.
nlohmann::ordered_json ToJson(const Measurement& measurement);
absl::StatusOr<Measurement> MeasurementFromJson(const nlohmann::ordered_json& json);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_MEASUREMENT_H_
