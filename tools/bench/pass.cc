#include "tools/bench/pass.h"

#include <malloc.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

#include "tools/bench/random.h"
#include "tools/bench/store_files.h"

namespace rumcask::bench {
namespace {

std::optional<uint64_t> Difference(std::optional<uint64_t> after, std::optional<uint64_t> before) {
  if (!after.has_value() || !before.has_value()) return std::nullopt;
  // Dirty pages that are dropped before they are written reduce the count.
  return *after > *before ? *after - *before : 0;
}

}  // namespace

Pass::Pass(const PassSettings& settings, const EngineType& type, Clock* clock)
    : settings_(settings),
      type_(type),
      clock_(clock),
      runner_(Watching(settings.runner), clock),
      measurements_(settings.workloads.size() + 1),
      memory_before_(counters_.Read().anonymous_bytes) {}

std::vector<Measurement> Pass::Run() {
  if (settings_.use_existing && !settings_.workloads.empty()) {
    live_.Fill(settings_.workloads.front().keys);
  }
  absl::Status broken = MakeCareless();
  since_empty_ = counters_.Read();
  for (size_t i = 0; i < settings_.workloads.size(); ++i) {
    const Workload& workload = settings_.workloads[i];
    if (settings_.announce != nullptr) settings_.announce(workload.name);
    Measurement& measurement = measurements_[i];
    std::string remark;
    // After a failure the store may be in any state; only an empty store can be used again.
    if (broken.ok() || workload.fresh) broken = Ready(workload, &remark);
    if (broken.ok()) {
      Measure(i, &measurement);
      if (measurement.outcome == Measurement::Outcome::kFailed) {
        broken = absl::InternalError(workload.name + " failed before");
      }
    } else {
      SetOutcome(broken, &measurement);
    }
    measurement.benchmark = workload.name;
    if (!remark.empty()) {
      measurement.remark += (measurement.remark.empty() ? "" : "; ") + remark;
    }
  }
  if (settings_.announce != nullptr) settings_.announce("close");
  MeasureClose(&measurements_.back());
  return std::move(measurements_);
}

absl::Status Pass::Open() {
  absl::StatusOr<std::unique_ptr<Engine>> engine = type_.open(settings_.engine);
  if (!engine.ok()) return engine.status();
  engine_ = *std::move(engine);
  return absl::OkStatus();
}

absl::Status Pass::Close() {
  if (engine_ == nullptr) return absl::OkStatus();
  absl::Status status = engine_->Close();
  engine_.reset();
  return status;
}

absl::Status Pass::Ready(const Workload& workload, std::string* remark) {
  absl::Status status;
  if (workload.fresh && !settings_.use_existing) {
    // The result of closing does not matter, because nothing of the store is kept.
    (void)Close();
    status = BenchDirectory::MakeEmpty(settings_.engine.path);
    if (!status.ok()) return status;
    // Memory that the last store released must not be used by the next one.
    ::malloc_trim(0);
    live_.Clear();
    written_bytes_ = 0;
    careless_device_bytes_ = 0;
    put_bytes_ = 0;
    puts_ = 0;
    since_empty_ = counters_.Read();
    return Open();
  }
  if (settings_.cold && !type_.persistent) {
    *remark = "in memory: not dropped from the page cache";
  } else if (settings_.cold) {
    status = Close();
    if (status.ok()) status = DropPageCache(settings_.engine.path);
    if (!status.ok()) return status;
    const Residency left = PageCacheOf(settings_.engine.path);
    if (left.bytes > 0) {
      *remark = absl::StrFormat(
          "page cache dropped before, %.1f %% stayed",
          100 * static_cast<double>(left.resident_bytes) / static_cast<double>(left.bytes));
    }
  } else if (engine_ == nullptr) {
    status = FillPageCache(settings_.engine.path);
    if (!status.ok()) return status;
  }
  return engine_ == nullptr ? Open() : absl::OkStatus();
}

uint64_t Pass::SeedOf(size_t i) const { return Scatter(settings_.seed) + i; }

// Samples the memory whenever progress is reported.
RunnerSettings Pass::Watching(RunnerSettings settings) {
  settings.progress = [this, progress = settings.progress](uint64_t done, uint64_t total) {
    peak_memory_ = std::max(peak_memory_, counters_.Read().anonymous_bytes);
    if (progress != nullptr) progress(done, total);
  };
  return settings;
}

void Pass::Measure(size_t i, Measurement* measurement) {
  const Workload& workload = settings_.workloads[i];
  const uint64_t seed = SeedOf(i);
  peak_memory_ = 0;
  if (workload.action == Workload::Action::kCompact) {
    MeasureOnce(&Pass::Compact, measurement);
    return;
  }
  if (workload.action == Workload::Action::kOpen) {
    // The time of closing is not part of opening.
    const absl::Status status =
        type_.persistent ? Close()
                         : absl::UnimplementedError("nothing is kept that could be opened");
    SetOutcome(status, measurement);
    if (status.ok()) MeasureOnce(&Pass::Open, measurement);
    return;
  }
  if (workload.action == Workload::Action::kOpenUnclean) {
    MeasureOpenUnclean(workload, seed, careless_[i].get(), measurement);
    return;
  }
  Taken taken;
  const ProcessCounts before = counters_.Read();
  WrittenBytes written_before;
  const bool counts = workload.counts_written && Written(&written_before);
  runner_.Run(workload, seed, type_, engine_.get(), &taken, measurement);
  AddUsage(before, measurement);
  if (measurement->outcome != Measurement::Outcome::kDone) return;
  WrittenBytes written;
  if (counts && Written(&written) && measurement->written_bytes > 0) {
    const auto user = static_cast<double>(measurement->written_bytes);
    measurement->remark = absl::StrFormat(
        "by its own count, %.2f bytes of log and %.2f others written for each byte of the user's",
        static_cast<double>(written.log - written_before.log) / user,
        static_cast<double>(written.rest - written_before.rest) / user);
  }
  if (workload.action == Workload::Action::kReadAll && !type_.ordered) {
    measurement->remark = "in no order";
  }
  Account(workload, seed, taken, measurement);
}

bool Pass::Written(WrittenBytes* written) {
  const absl::StatusOr<WrittenBytes> counted = engine_->Written();
  if (counted.ok()) *written = *counted;
  return counted.ok();
}

absl::Status Pass::MakeCareless() {
  if (!type_.persistent) return absl::OkStatus();
  for (size_t i = 0; i < settings_.workloads.size(); ++i) {
    const Workload& workload = settings_.workloads[i];
    if (workload.action != Workload::Action::kOpenUnclean) continue;
    absl::StatusOr<std::unique_ptr<WaitingChild>> child =
        WaitingChild::Make([this, i] { return WriteAndLeave(settings_.workloads[i], SeedOf(i)); });
    if (!child.ok()) return child.status();
    careless_[i] = *std::move(child);
  }
  return absl::OkStatus();
}

std::string Pass::WriteAndLeave(const Workload& workload, uint64_t seed) const {
  Measurement measurement;
  Taken taken;
  absl::StatusOr<std::unique_ptr<Engine>> engine = type_.open(settings_.engine);
  SetOutcome(engine.status(), &measurement);
  if (engine.ok()) {
    RunnerSettings settings = settings_.runner;
    settings.progress = nullptr;
    const ProcessCounts before = counters_.Read();
    Runner(settings, clock_).Run(workload, seed, type_, engine->get(), &taken, &measurement);
    AddUsage(before, &measurement);
    // Never closed.
    (void)engine->release();
  }
  return nlohmann::ordered_json({{"measurement", ToJson(measurement)}, {"taken", taken}}).dump();
}

void Pass::MeasureOpenUnclean(const Workload& workload, uint64_t seed, WaitingChild* careless,
                              Measurement* measurement) {
  absl::Status status = careless != nullptr
                            ? Close()
                            : absl::UnimplementedError("nothing is kept that could be opened");
  Measurement left;
  Taken taken;
  if (status.ok()) {
    const absl::StatusOr<std::string> text = careless->Run();
    status = text.status();
    if (status.ok()) {
      const nlohmann::ordered_json json = nlohmann::ordered_json::parse(*text);
      const absl::StatusOr<Measurement> parsed = MeasurementFromJson(json.at("measurement"));
      status = parsed.status();
      if (status.ok()) left = *parsed;
      taken = json.at("taken").get<Taken>();
    }
  }
  if (status.ok() && left.outcome != Measurement::Outcome::kDone) {
    status = absl::InternalError("before it was left open: " + left.remark);
  }
  if (status.ok() && settings_.cold) status = DropPageCache(settings_.engine.path);
  SetOutcome(status, measurement);
  if (!status.ok()) return;
  written_bytes_ += left.written_bytes;
  put_bytes_ += left.written_bytes;
  puts_ += left.puts;
  careless_device_bytes_ += left.device_bytes.value_or(0);
  live_.Apply(workload, settings_.runner.value_sizes, seed, taken);
  MeasureOnce(&Pass::Open, measurement);
  measurement->work = left.work;
  measurement->remark += absl::StrFormat(
      "%s%d put%s before, by a process that ended without closing",
      measurement->remark.empty() ? "" : "; ", left.puts, left.puts == 1 ? "" : "s");
}

void Pass::MeasureOnce(absl::Status (Pass::*body)(), Measurement* measurement) {
  measurement->single = true;
  const ProcessCounts before = counters_.Read();
  const uint64_t begin = clock_->Now();
  const absl::Status status = (this->*body)();
  const uint64_t nanoseconds = clock_->Now() - begin;
  AddUsage(before, measurement);
  SetOutcome(status, measurement);
  if (!status.ok()) return;
  measurement->operations = 1;
  measurement->seconds = static_cast<double>(nanoseconds) / 1e9;
  measurement->latency.Record(nanoseconds);
  AddState(measurement);
}

absl::Status Pass::Compact() { return engine_->Compact(); }

void Pass::MeasureClose(Measurement* measurement) {
  measurement->benchmark = "close";
  peak_memory_ = 0;
  MeasureOnce(&Pass::Close, measurement);
  // The following figures cover everything since the store was empty.
  const double cpu_seconds = measurement->cpu_seconds;
  AddUsage(since_empty_, measurement);
  measurement->cpu_seconds = cpu_seconds;
  if (measurement->device_bytes.has_value()) {
    *measurement->device_bytes += careless_device_bytes_;
  }
  measurement->written_bytes = written_bytes_;
}

void Pass::Account(const Workload& workload, uint64_t seed, const Taken& taken,
                   Measurement* measurement) {
  // Read first, so that what follows does not add to it.
  const uint64_t memory = counters_.Read().anonymous_bytes;
  written_bytes_ += measurement->written_bytes;
  if (workload.deletes == 0) {
    put_bytes_ += measurement->written_bytes;
    puts_ += measurement->puts;
  }
  if (workload.action == Workload::Action::kOperations) {
    live_.Apply(workload, settings_.runner.value_sizes, seed, taken);
  }
  AddState(measurement);
  AddMemory(memory, measurement);
}

void Pass::AddMemory(uint64_t anonymous_bytes, Measurement* measurement) const {
  const auto beyond = [this](uint64_t bytes) {
    return bytes > memory_before_ ? bytes - memory_before_ : 0;
  };
  measurement->memory_bytes = beyond(anonymous_bytes);
  measurement->peak_memory_bytes = beyond(std::max(anonymous_bytes, peak_memory_));
}

void Pass::AddUsage(const ProcessCounts& before, Measurement* measurement) const {
  const ProcessCounts after = counters_.Read();
  measurement->cpu_seconds = after.cpu_seconds - before.cpu_seconds;
  measurement->device_bytes = Difference(after.device_bytes, before.device_bytes);
  measurement->system_calls = Difference(after.system_calls, before.system_calls);
  measurement->instructions = Difference(after.instructions, before.instructions);
}

void Pass::AddState(Measurement* measurement) const {
  AddMemory(counters_.Read().anonymous_bytes, measurement);
  measurement->disk_bytes = AllocatedBytes(settings_.engine.path);
  measurement->live_keys = live_.count();
  const double entry = puts_ > 0 ? static_cast<double>(put_bytes_) / static_cast<double>(puts_)
                                 : static_cast<double>(settings_.runner.key_size) +
                                       static_cast<double>(settings_.runner.value_sizes.Longest());
  measurement->live_bytes = static_cast<uint64_t>(entry * static_cast<double>(live_.count()));
}

}  // namespace rumcask::bench
