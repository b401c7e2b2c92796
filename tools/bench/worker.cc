#include "tools/bench/worker.h"

#include <time.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"

#include "core/system/mutex.h"

namespace rumcask::bench {
namespace {

constexpr double kNanoseconds = 1e9;

// By this factor, the last turns of a queue may take longer than the first, and so may an iterator
// over a store that was emptied.
constexpr double kTurnBudget = 1.25;
constexpr double kEmptiedBudget = 1e6;

uint64_t ThreadCpuNanoseconds() {
  timespec time = {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000000000 + static_cast<uint64_t>(time.tv_nsec);
}

const char* Verdict(double figure, double budget) { return figure <= budget ? "met" : "MISSED"; }

bool IsWrite(OperationKind kind) {
  return kind == OperationKind::kUpdate || kind == OperationKind::kInsert;
}

}  // namespace

Worker::Worker(const Workload& workload, const WorkerSettings& settings, Engine* engine,
               Clock* clock, WorkerSignals* signals, ValueBytes* values, Histogram* latency)
    : workload_(workload),
      settings_(settings),
      keys_(settings.key_size, workload.hashed_keys),
      engine_(engine),
      clock_(clock),
      signals_(signals),
      values_(values),
      latency_(latency),
      stream_(workload, settings.value_sizes, settings.seed, settings.thread, settings.threads),
      snapshots_(workload.snapshots, stream_.length()) {
  if (workload_.batch > 1) batch_keys_.resize(workload_.batch);
}

void Worker::Count(uint64_t operations) {
  operations_ += operations;
  done_.store(operations_, std::memory_order_relaxed);
}

absl::Status Worker::Run() {
  const uint64_t cpu_before = ThreadCpuNanoseconds();
  const uint64_t waits_before = ThreadLockWaits().nanoseconds;
  begin_ = clock_->Now();
  absl::Status status;
  if (workload_.action == Workload::Action::kReadAll) {
    status = ReadAll();
  } else if (workload_.action == Workload::Action::kQueue) {
    status = Queue();
  } else {
    status = settings_.target > 0 ? RunOpen() : RunClosed();
  }
  if (workload_.action != Workload::Action::kQueue) end_ = clock_->Now();
  cpu_nanoseconds_ = ThreadCpuNanoseconds() - cpu_before;
  lock_wait_nanoseconds_ = ThreadLockWaits().nanoseconds - waits_before;
  return status;
}

absl::Status Worker::RunClosed() {
  const uint64_t deadline = workload_.seconds > 0
                                ? begin_ + static_cast<uint64_t>(workload_.seconds * kNanoseconds)
                                : UINT64_MAX;
  uint64_t until_sample = 1;
  while (!Stopped() && Prepare()) {
    if (--until_sample > 0) {
      absl::Status status = Call();
      if (!status.ok()) return status;
      continue;
    }
    until_sample = settings_.sample;
    const uint64_t call_begin = clock_->Now();
    absl::Status status = Call();
    if (!status.ok()) return status;
    const uint64_t call_end = clock_->Now();
    latency_->Record(call_end - call_begin);
    stalls_ += call_end - call_begin > kStall;
    if (call_end >= deadline) break;
  }
  return absl::OkStatus();
}

absl::Status Worker::RunOpen() {
  const double interval = kNanoseconds * static_cast<double>(workload_.batch) / settings_.target;
  // The threads' calls are spread evenly over the interval.
  const double offset = interval * settings_.thread / settings_.threads;
  const uint64_t length = static_cast<uint64_t>(workload_.seconds * kNanoseconds);
  for (uint64_t i = 0; !Stopped() && Prepare(); ++i) {
    const uint64_t due = static_cast<uint64_t>(offset + interval * static_cast<double>(i));
    clock_->WaitUntil(begin_ + due);
    absl::Status status = Call();
    if (!status.ok()) return status;
    const uint64_t now = clock_->Now();
    latency_->Record(now - (begin_ + due));
    stalls_ += now - (begin_ + due) > kStall;
    if (length > 0 && now - begin_ >= length) break;
  }
  return absl::OkStatus();
}

bool Worker::Prepare() {
  if (workload_.batch <= 1) {
    if (!stream_.Next(&operation_)) return false;
    if (operation_.kind == OperationKind::kReadMissing) {
      keys_.WriteMissing(operation_.number, &key_);
    } else {
      keys_.Write(operation_.number, &key_);
    }
    if (IsWrite(operation_.kind) || operation_.kind == OperationKind::kReadModifyWrite) {
      value_ = values_->Next(operation_.size);
    }
    return true;
  }
  // All operations of a batch are of one kind.
  read_batch_.clear();
  write_batch_.clear();
  for (std::string& key : batch_keys_) {
    if (!stream_.Next(&operation_)) break;
    keys_.Write(operation_.number, &key);
    if (IsWrite(operation_.kind)) {
      write_batch_.emplace_back(key, values_->Next(operation_.size));
    } else {
      read_batch_.push_back(key);
    }
  }
  return !read_batch_.empty() || !write_batch_.empty();
}

absl::Status Worker::Call() {
  if (!workload_.TakesSnapshots()) return CallStore();
  absl::Status status = snapshots_.Before(engine_);
  if (status.ok()) status = CallStore();
  snapshots_.After();
  return status;
}

absl::Status Worker::CallStore() {
  if (workload_.batch > 1) return CallBatch();
  absl::Status status;
  switch (operation_.kind) {
    case OperationKind::kRead:
    case OperationKind::kReadMissing:
      status = Read(key_);
      break;
    case OperationKind::kUpdate:
    case OperationKind::kInsert:
      status = Write(key_, value_);
      break;
    case OperationKind::kReadModifyWrite:
      status = Read(key_);
      if (status.ok()) status = Write(key_, value_);
      break;
    case OperationKind::kScan:
      status = Scan(key_, operation_.size);
      break;
    case OperationKind::kDelete:
      written_bytes_ += key_.size();
      status = engine_->Delete(key_, workload_.sync);
      break;
  }
  if (status.ok()) Count(1);
  return status;
}

absl::Status Worker::CallBatch() {
  absl::Status status;
  if (!read_batch_.empty()) {
    status = engine_->MultiGet(read_batch_, &read_values_, &found_);
    reads_ += read_batch_.size();
    if (status.ok()) Count(read_batch_.size());
  }
  if (status.ok() && !write_batch_.empty()) {
    status = engine_->Write(write_batch_, workload_.sync);
    puts_ += write_batch_.size();
    for (const auto& [key, value] : write_batch_) written_bytes_ += key.size() + value.size();
    if (status.ok()) Count(write_batch_.size());
  }
  return status;
}

absl::Status Worker::Read(std::string_view key) {
  ++reads_;
  absl::Status status = engine_->Get(key, &read_value_);
  if (status.ok()) {
    ++found_;
    read_bytes_ += read_value_.size();
    return status;
  }
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status Worker::Write(std::string_view key, std::string_view value) {
  ++puts_;
  written_bytes_ += key.size() + value.size();
  return engine_->Put(key, value, workload_.sync);
}

absl::Status Worker::Scan(std::string_view key, uint64_t length) {
  absl::StatusOr<std::unique_ptr<EngineCursor>> cursor = engine_->NewCursor();
  if (!cursor.ok()) return cursor.status();
  absl::Status status = (*cursor)->Seek(key);
  if (!status.ok()) return status;
  reads_ += length;
  for (uint64_t i = 0; i < length && (*cursor)->Valid(); ++i, (*cursor)->Next()) {
    ++found_;
    read_bytes_ += (*cursor)->key().size() + (*cursor)->value().size();
  }
  return (*cursor)->status();
}

absl::Status Worker::Queue() {
  if (settings_.threads > 1) return absl::UnimplementedError("a queue's turns are one thread's");
  std::string key;
  absl::Status status;
  if (workload_.fresh) {
    for (uint64_t i = 0; status.ok() && i < workload_.keys && !Stopped(); ++i) {
      keys_.Write(i, &key);
      status = Write(key, values_->Next(settings_.value_sizes.Longest()));
    }
  }
  Histogram first;
  Histogram last;
  const uint64_t turns = workload_.operations;
  begin_ = clock_->Now();
  for (uint64_t i = 0; status.ok() && i < turns && !Stopped(); ++i) {
    keys_.Write(workload_.keys + i, &key);
    const uint64_t turn_begin = clock_->Now();
    status = TakeTurn(&key);
    const uint64_t nanoseconds = clock_->Now() - turn_begin;
    latency_->Record(nanoseconds);
    if (i < std::max<uint64_t>(1, turns / 10)) first.Record(nanoseconds);
    if (i >= turns - std::max<uint64_t>(1, turns / 10)) last.Record(nanoseconds);
    Count(1);
  }
  end_ = clock_->Now();
  // Removes the keys that are left, in the order of their numbers, which is right if the store has
  // that order.
  const uint64_t most = workload_.keys + turns;
  for (uint64_t i = std::min(turns, most); status.ok() && i < most && !Stopped(); ++i) {
    keys_.Write(i, &key);
    status = engine_->Delete(key, workload_.sync);
  }
  if (!status.ok() || Stopped()) return status;
  // In a store without order, other keys are left.
  bool left = true;
  uint64_t nanoseconds = 0;
  while (left) {
    const uint64_t look_begin = clock_->Now();
    absl::StatusOr<std::unique_ptr<EngineCursor>> cursor = engine_->NewCursor();
    if (!cursor.ok()) return cursor.status();
    status = (*cursor)->SeekToFirst();
    if (status.ok()) status = (*cursor)->status();
    if (!status.ok()) return status;
    nanoseconds = clock_->Now() - look_begin;
    left = (*cursor)->Valid();
    for (; status.ok() && (*cursor)->Valid(); (*cursor)->Next()) {
      status = engine_->Delete((*cursor)->key(), workload_.sync);
    }
    if (!status.ok()) return status;
  }
  const auto median_first = static_cast<double>(first.ValueAtPercentile(50));
  const auto median_last = static_cast<double>(last.ValueAtPercentile(50));
  const double ratio = median_first > 0 ? median_last / median_first : 1;
  remark_ = absl::StrFormat(
      "of %d turns the first tenth took %.2f us each, the last %.2f us: %.2f x, budget %.2f x %s; "
      "an iterator over the emptied store %.3f ms, budget %.0f ms %s",
      turns, median_first / 1e3, median_last / 1e3, ratio, kTurnBudget, Verdict(ratio, kTurnBudget),
      static_cast<double>(nanoseconds) / 1e6, kEmptiedBudget / 1e6,
      Verdict(static_cast<double>(nanoseconds), kEmptiedBudget));
  return status;
}

absl::Status Worker::TakeTurn(std::string* put) {
  absl::StatusOr<std::unique_ptr<EngineCursor>> cursor = engine_->NewCursor();
  if (!cursor.ok()) return cursor.status();
  absl::Status status = (*cursor)->SeekToFirst();
  if (status.ok()) status = (*cursor)->status();
  if (!status.ok()) return status;
  ++reads_;
  if ((*cursor)->Valid()) {
    ++found_;
    read_bytes_ += (*cursor)->key().size() + (*cursor)->value().size();
    written_bytes_ += (*cursor)->key().size();
    status = engine_->Delete((*cursor)->key(), workload_.sync);
    if (!status.ok()) return status;
  }
  return Write(*put, values_->Next(settings_.value_sizes.Longest()));
}

absl::Status Worker::ReadAll() {
  absl::StatusOr<std::unique_ptr<EngineCursor>> cursor = engine_->NewCursor();
  if (!cursor.ok()) return cursor.status();
  absl::Status status = (*cursor)->SeekToFirst();
  if (!status.ok()) return status;
  uint64_t until_sample = 1;
  while (operations_ < workload_.operations && (*cursor)->Valid() && !Stopped()) {
    ++reads_;
    ++found_;
    read_bytes_ += (*cursor)->key().size() + (*cursor)->value().size();
    if (--until_sample > 0) {
      (*cursor)->Next();
    } else {
      until_sample = settings_.sample;
      const uint64_t call_begin = clock_->Now();
      (*cursor)->Next();
      latency_->Record(clock_->Now() - call_begin);
    }
    Count(1);
  }
  return (*cursor)->status();
}

}  // namespace rumcask::bench
