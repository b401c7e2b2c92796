// One thread that performs operations and measures their time.

#ifndef RUMCASK_TOOLS_BENCH_WORKER_H_
#define RUMCASK_TOOLS_BENCH_WORKER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "tools/bench/clock.h"
#include "tools/bench/engine.h"
#include "tools/bench/held_snapshots.h"
#include "tools/bench/histogram.h"
#include "tools/bench/key_format.h"
#include "tools/bench/operation_stream.h"
#include "tools/bench/value_sizes.h"
#include "tools/bench/workload.h"

namespace rumcask::bench {

struct WorkerSettings {
  uint64_t key_size = 16;
  ValueSizes value_sizes{100};
  uint64_t seed = 0;
  int thread = 0;
  int threads = 1;
  // If there is no target, times one call in this many, because reading the clock costs up to a
  // fifth of a get.
  uint64_t sample = 1;
  // Operations per second of this thread; 0 means as fast as the store can.
  double target = 0;
};

// What all workers of a benchmark share.
struct WorkerSignals {
  std::atomic<bool> stop{false};
};

class Worker {
 public:
  // Owns none of the pointers.
  Worker(const Workload& workload, const WorkerSettings& settings, Engine* engine, Clock* clock,
         WorkerSignals* signals, ValueBytes* values, Histogram* latency);

  // Runs until the stream ends, its time is over, or it is told to stop.
  //
  // Without a target the loop is closed: the next call begins when the last one has ended, and the
  // service time is recorded. With a target it is open: each call has a time at which it should
  // begin, and the time from then on is recorded, so that a stall counts for every call that it
  // delays.
  absl::Status Run();

  uint64_t begin() const { return begin_; }
  uint64_t end() const { return end_; }
  uint64_t operations() const { return operations_; }
  // The same while it runs, for any thread.
  uint64_t done() const { return done_.load(std::memory_order_relaxed); }
  uint64_t puts() const { return puts_; }
  uint64_t reads() const { return reads_; }
  uint64_t found() const { return found_; }
  uint64_t read_bytes() const { return read_bytes_; }
  uint64_t written_bytes() const { return written_bytes_; }
  // Of its thread, while it ran.
  uint64_t cpu_nanoseconds() const { return cpu_nanoseconds_; }
  uint64_t lock_wait_nanoseconds() const { return lock_wait_nanoseconds_; }
  // A remark on the result, or empty.
  const std::string& remark() const { return remark_; }
  uint64_t taken() const { return stream_.taken(); }
  uint64_t work() const { return stream_.work(); }
  // The number of timed calls that took longer than kStall.
  uint64_t stalls() const { return stalls_; }

  static constexpr uint64_t kStall = 5000000;  // nanoseconds

 private:
  // Takes the operations of the next call and makes their keys and values. False if there are none
  // left.
  bool Prepare();
  absl::Status Call();
  absl::Status CallStore();
  absl::Status CallBatch();
  absl::Status Read(std::string_view key);
  absl::Status Write(std::string_view key, std::string_view value);
  absl::Status Scan(std::string_view key, uint64_t length);
  absl::Status ReadAll();
  absl::Status Queue();
  absl::Status TakeTurn(std::string* put);
  absl::Status RunClosed();
  absl::Status RunOpen();
  bool Stopped() const { return signals_->stop.load(std::memory_order_relaxed); }
  void Count(uint64_t operations);

  const Workload workload_;
  const WorkerSettings settings_;
  const KeyFormat keys_;
  Engine* const engine_;
  Clock* const clock_;
  WorkerSignals* const signals_;
  ValueBytes* const values_;
  Histogram* const latency_;
  OperationStream stream_;
  HeldSnapshots snapshots_;

  // The next call.
  Operation operation_{};
  std::string key_;
  std::string_view value_;
  std::vector<std::string> batch_keys_;
  std::vector<std::string_view> read_batch_;
  std::vector<std::pair<std::string_view, std::string_view>> write_batch_;

  std::string read_value_;
  std::vector<std::string> read_values_;
  uint64_t begin_ = 0;
  uint64_t end_ = 0;
  uint64_t operations_ = 0;
  uint64_t puts_ = 0;
  uint64_t reads_ = 0;
  uint64_t found_ = 0;
  uint64_t read_bytes_ = 0;
  uint64_t written_bytes_ = 0;
  uint64_t cpu_nanoseconds_ = 0;
  uint64_t lock_wait_nanoseconds_ = 0;
  std::string remark_;
  uint64_t stalls_ = 0;
  // Alone in its cache line, as another thread reads it.
  alignas(64) std::atomic<uint64_t> done_{0};
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_WORKER_H_
