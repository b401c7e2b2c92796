#include "tools/bench/worker.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rumcask::bench {
namespace {

constexpr double kNanoseconds = 1e9;

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
      stream_(workload, settings.value_sizes, settings.seed, settings.thread, settings.threads) {
  if (workload_.batch > 1) batch_keys_.resize(workload_.batch);
}

void Worker::Count(uint64_t operations) {
  constexpr uint64_t kReportEach = 4096;
  operations_ += operations;
  unreported_ += operations;
  if (unreported_ >= kReportEach) {
    signals_->done.fetch_add(unreported_, std::memory_order_relaxed);
    unreported_ = 0;
  }
}

absl::Status Worker::Run() {
  begin_ = clock_->Now();
  absl::Status status;
  if (workload_.action == Workload::Action::kReadAll) {
    status = ReadAll();
  } else {
    status = settings_.target > 0 ? RunOpen() : RunClosed();
  }
  end_ = clock_->Now();
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
    if (call_end >= deadline) break;
  }
  return absl::OkStatus();
}

absl::Status Worker::RunOpen() {
  const double interval = kNanoseconds * static_cast<double>(workload_.batch) / settings_.target;
  // Threads take turns.
  const double offset = interval * settings_.thread / settings_.threads;
  const uint64_t length = static_cast<uint64_t>(workload_.seconds * kNanoseconds);
  for (uint64_t i = 0; !Stopped() && Prepare(); ++i) {
    const uint64_t due = static_cast<uint64_t>(offset + interval * static_cast<double>(i));
    clock_->WaitUntil(begin_ + due);
    absl::Status status = Call();
    if (!status.ok()) return status;
    const uint64_t now = clock_->Now();
    latency_->Record(now - (begin_ + due));
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
  // All of one kind.
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
