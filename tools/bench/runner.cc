#include "tools/bench/runner.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_format.h"

#include "core/system/mutex.h"
#include "tools/bench/worker.h"

namespace rumcask::bench {
namespace {

// A target rate counts as reached if at least this share of it was.
constexpr double kSustained = 0.99;

// Runs workers beside each other. All start together, and the first error stops all.
class Crew {
 public:
  explicit Crew(WorkerSignals* signals) : signals_(signals) {}

  void Start(Worker* worker) {
    {
      const MutexLock lock(mutex_);
      ++running_;
    }
    threads_.emplace_back([this, worker] {
      AwaitGo();
      End(worker->Run());
    });
  }

  void Go() {
    const MutexLock lock(mutex_);
    go_ = true;
    changed_.NotifyAll();
  }

  // Whether all have ended; waits up to `moment` for that.
  bool Ended(std::chrono::milliseconds moment) {
    const MutexLock lock(mutex_);
    if (running_ > 0) changed_.WaitFor(mutex_, moment);
    return running_ == 0;
  }

  absl::Status Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    const MutexLock lock(mutex_);
    return status_;
  }

 private:
  void AwaitGo() {
    const MutexLock lock(mutex_);
    while (!go_) changed_.Wait(mutex_);
  }

  void End(const absl::Status& status) {
    const MutexLock lock(mutex_);
    if (!status.ok()) {
      if (status_.ok()) status_ = status;
      signals_->stop.store(true, std::memory_order_relaxed);
    }
    if (--running_ == 0) changed_.NotifyAll();
  }

  WorkerSignals* const signals_;
  std::vector<std::thread> threads_;
  Mutex mutex_;
  CondVar changed_;
  bool go_ ABSL_GUARDED_BY(mutex_) = false;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

Workload WriterOf(const Workload& workload) {
  Workload writer = workload;
  writer.action = Workload::Action::kOperations;
  writer.reads = 0;
  writer.updates = 1;
  writer.operations = UINT64_MAX;
  writer.seconds = 0;
  return writer;
}

double Seconds(uint64_t from, uint64_t to) {
  return static_cast<double>(to - std::min(from, to)) / 1e9;
}

// What a thread's work cost. For some types of store more is known.
std::string Costs(const EngineType& type, uint64_t operations, uint64_t cpu_nanoseconds,
                  uint64_t lock_wait_nanoseconds, double nanoseconds) {
  const double cpu = operations == 0 ? 0
                                     : static_cast<double>(cpu_nanoseconds) / 1e3 /
                                           static_cast<double>(operations);
  std::string text = absl::StrFormat("%.2f us of CPU each", cpu);
  if (type.counts_lock_waits && nanoseconds > 0) {
    absl::StrAppendFormat(&text, ", %.1f %% of the time waiting for locks",
                          100 * static_cast<double>(lock_wait_nanoseconds) / nanoseconds);
  }
  return text;
}

}  // namespace

Runner::Runner(const RunnerSettings& settings, Clock* clock) : settings_(settings), clock_(clock) {
  const auto desks = static_cast<size_t>(settings.threads) + 1;
  desks_.reserve(desks);
  for (size_t i = 0; i < desks; ++i) {
    desks_.emplace_back(ValueBytes(/*seed=*/i, settings.value_sizes.Longest()));
  }
}

void SetOutcome(const absl::Status& status, Measurement* measurement) {
  if (status.ok()) return;
  measurement->outcome = absl::IsUnimplemented(status) ? Measurement::Outcome::kNotSupported
                                                       : Measurement::Outcome::kFailed;
  measurement->remark = std::string(status.message());
  if (measurement->remark.empty()) {
    measurement->remark = absl::StatusCodeToString(status.code());
  }
}

void Runner::Run(const Workload& workload, uint64_t seed, const EngineType& type, Engine* engine,
                 Taken* taken, Measurement* result) {
  Measurement& measurement = *result;
  measurement.benchmark = workload.name;
  const int all_threads = settings_.threads + (workload.writer_beside ? 1 : 0);
  if (workload.Writes() && all_threads > 1 && !type.concurrent_writes) {
    SetOutcome(absl::UnimplementedError("one thread writes and no other runs beside it"),
               &measurement);
    return;
  }

  WorkerSignals signals;
  WorkerSignals writer_signals;
  Crew crew(&signals);
  Crew writer_crew(&writer_signals);
  std::vector<std::unique_ptr<Worker>> workers;
  std::unique_ptr<Worker> writer;
  for (Desk& desk : desks_) {
    desk.values.Restart();
    desk.latency.Clear();
  }
  WorkerSettings settings;
  settings.key_size = settings_.key_size;
  settings.value_sizes = settings_.value_sizes;
  settings.seed = seed;
  settings.threads = settings_.threads;
  // With snapshots the longest calls matter, so every call is timed.
  settings.sample = workload.TakesSnapshots() ? 1 : settings_.sample;
  settings.target = settings_.target / settings_.threads;
  for (int i = 0; i < settings_.threads; ++i) {
    settings.thread = i;
    Desk& desk = desks_[static_cast<size_t>(i)];
    workers.push_back(std::make_unique<Worker>(workload, settings, engine, clock_, &signals,
                                               &desk.values, &desk.latency));
  }
  if (workload.writer_beside) {
    settings.thread = 0;
    settings.threads = 1;
    settings.seed = seed + 1;
    settings.target = workload.writer_rate;
    writer = std::make_unique<Worker>(WriterOf(workload), settings, engine, clock_, &writer_signals,
                                      &desks_.back().values, &desks_.back().latency);
    writer_crew.Start(writer.get());
  }
  for (const std::unique_ptr<Worker>& worker : workers) crew.Start(worker.get());
  writer_crew.Go();
  const uint64_t started = clock_->Now();
  crew.Go();
  const uint64_t total = workload.seconds > 0 ? 0 : workload.operations;
  while (!crew.Ended(std::chrono::milliseconds(200))) {
    uint64_t done = 0;
    for (const std::unique_ptr<Worker>& worker : workers) done += worker->done();
    measurement.timeline.Add(Seconds(started, clock_->Now()), done);
    if (settings_.progress != nullptr) settings_.progress(done, total);
  }
  absl::Status status = crew.Join();
  writer_signals.stop.store(true, std::memory_order_relaxed);
  const absl::Status writer_status = writer_crew.Join();
  if (status.ok()) status = writer_status;

  taken->clear();
  uint64_t stalls = 0;
  uint64_t begin = UINT64_MAX;
  uint64_t end = 0;
  uint64_t cpu_nanoseconds = 0;
  uint64_t lock_wait_nanoseconds = 0;
  for (size_t i = 0; i < workers.size(); ++i) {
    const Worker& worker = *workers[i];
    begin = std::min(begin, worker.begin());
    end = std::max(end, worker.end());
    measurement.operations += worker.operations();
    measurement.puts += worker.puts();
    measurement.reads += worker.reads();
    measurement.found += worker.found();
    measurement.read_bytes += worker.read_bytes();
    measurement.written_bytes += worker.written_bytes();
    // The sum does not depend on which thread did which operations.
    measurement.work += worker.work();
    measurement.latency.Merge(desks_[i].latency);
    stalls += worker.stalls();
    taken->push_back(worker.taken());
    cpu_nanoseconds += worker.cpu_nanoseconds();
    lock_wait_nanoseconds += worker.lock_wait_nanoseconds();
    if (!worker.remark().empty()) measurement.remark = worker.remark();
  }
  measurement.seconds = static_cast<double>(end - begin) / 1e9;
  measurement.timeline.End(Seconds(started, begin), Seconds(started, end), measurement.operations);
  measurement.target = settings_.target;
  measurement.sustained =
      settings_.target == 0 || measurement.PerSecond() >= kSustained * settings_.target;
  if (writer != nullptr) {
    measurement.puts += writer->puts();
    measurement.written_bytes += writer->written_bytes();
    const double writer_nanoseconds = static_cast<double>(writer->end() - writer->begin());
    measurement.remark =
        absl::StrFormat("reads %s; writer %d operations, %.0f per second, %s",
                        Costs(type, measurement.operations, cpu_nanoseconds, lock_wait_nanoseconds,
                              static_cast<double>(end - begin) * settings_.threads),
                        writer->operations(),
                        writer_nanoseconds > 0
                            ? static_cast<double>(writer->operations()) / writer_nanoseconds * 1e9
                            : 0,
                        Costs(type, writer->operations(), writer->cpu_nanoseconds(),
                              writer->lock_wait_nanoseconds(), writer_nanoseconds));
  }
  if (workload.TakesSnapshots()) {
    measurement.remark =
        absl::StrFormat("%d of %d calls took more than %d ms, the longest %.1f ms", stalls,
                        measurement.latency.count(), Worker::kStall / 1000000,
                        static_cast<double>(measurement.latency.max()) / 1e6);
  }
  SetOutcome(status, &measurement);
}

}  // namespace rumcask::bench
