// Fake stores and clocks for this package's tests.

#ifndef RUMCASK_TOOLS_BENCH_FAKE_ENGINE_H_
#define RUMCASK_TOOLS_BENCH_FAKE_ENGINE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/system/mutex.h"
#include "tools/bench/clock.h"
#include "tools/bench/engine.h"

namespace rumcask::bench {

// Advances only when someone waits or a store takes its time, which one thread may do.
class ManualClock : public Clock {
 public:
  uint64_t Now() override { return now_; }
  void WaitUntil(uint64_t time) override { now_ = time > now_ ? time : now_.load(); }
  void Advance(uint64_t nanoseconds) { now_ += nanoseconds; }

 private:
  std::atomic<uint64_t> now_{1000000};
};

// A map in memory that counts its calls.
class FakeEngine : public Engine {
 public:
  struct Counts {
    uint64_t gets = 0;
    uint64_t multi_gets = 0;
    uint64_t multi_get_keys = 0;
    uint64_t puts = 0;
    uint64_t synced_puts = 0;
    uint64_t deletes = 0;
    uint64_t batches = 0;
    uint64_t batch_entries = 0;
    uint64_t cursors = 0;
    uint64_t seeks = 0;
    uint64_t snapshots = 0;
    uint64_t snapshots_held = 0;
  };

  absl::Status Get(std::string_view key, std::string* value) override {
    const MutexLock lock(mutex_);
    ++counts_.gets;
    const absl::Status status = Called("get", key);
    if (!status.ok()) return status;
    const auto found = entries_.find(key);
    if (found == entries_.end()) return absl::NotFoundError("");
    *value = found->second;
    return absl::OkStatus();
  }

  absl::Status MultiGet(absl::Span<const std::string_view> keys, std::vector<std::string>* values,
                        uint64_t* found) override {
    const MutexLock lock(mutex_);
    ++counts_.multi_gets;
    counts_.multi_get_keys += keys.size();
    values->resize(keys.size());
    for (const std::string_view key : keys) *found += entries_.count(key);
    return Called("multiget", keys.front());
  }

  absl::Status Put(std::string_view key, std::string_view value, bool sync) override {
    const MutexLock lock(mutex_);
    ++counts_.puts;
    if (sync) ++counts_.synced_puts;
    const absl::Status status = Called("put", key);
    if (status.ok()) entries_[std::string(key)] = std::string(value);
    return status;
  }

  absl::Status Delete(std::string_view key, bool /*sync*/) override {
    const MutexLock lock(mutex_);
    ++counts_.deletes;
    entries_.erase(std::string(key));
    return Called("delete", key);
  }

  absl::Status Write(absl::Span<const std::pair<std::string_view, std::string_view>> entries,
                     bool /*sync*/) override {
    const MutexLock lock(mutex_);
    ++counts_.batches;
    counts_.batch_entries += entries.size();
    for (const auto& [key, value] : entries) entries_[std::string(key)] = std::string(value);
    return Called("write", entries.front().first);
  }

  absl::StatusOr<std::unique_ptr<EngineCursor>> NewCursor() override {
    const MutexLock lock(mutex_);
    ++counts_.cursors;
    return std::make_unique<Cursor>(this, entries_);
  }

  absl::StatusOr<std::shared_ptr<const void>> TakeSnapshot() override {
    const MutexLock lock(mutex_);
    ++counts_.snapshots;
    ++counts_.snapshots_held;
    return std::shared_ptr<const void>(nullptr, [this](const void*) {
      const MutexLock ending(mutex_);
      --counts_.snapshots_held;
    });
  }

  absl::Status Sync() override { return absl::OkStatus(); }
  absl::Status Compact() override { return absl::UnimplementedError("it is a fake"); }
  absl::Status Close() override { return absl::OkStatus(); }

  // Only to be called within on_call, which runs under the lock.
  uint64_t held_snapshots() ABSL_NO_THREAD_SAFETY_ANALYSIS { return counts_.snapshots_held; }

  Counts counts() {
    const MutexLock lock(mutex_);
    return counts_;
  }
  std::map<std::string, std::string, std::less<>> entries() {
    const MutexLock lock(mutex_);
    return entries_;
  }

  // Called within each call, with the name of the call and the key. Its result is the error of the
  // call.
  std::function<absl::Status(std::string_view call, std::string_view key)> on_call;

 private:
  class Cursor : public EngineCursor {
   public:
    Cursor(FakeEngine* engine, std::map<std::string, std::string, std::less<>> entries)
        : engine_(engine), entries_(std::move(entries)), at_(entries_.end()) {}
    absl::Status SeekToFirst() override {
      at_ = entries_.begin();
      return absl::OkStatus();
    }
    absl::Status Seek(std::string_view key) override {
      const MutexLock lock(engine_->mutex_);
      ++engine_->counts_.seeks;
      at_ = entries_.lower_bound(key);
      return absl::OkStatus();
    }
    bool Valid() const override { return at_ != entries_.end(); }
    void Next() override { ++at_; }
    std::string_view key() const override { return at_->first; }
    std::string_view value() const override { return at_->second; }
    absl::Status status() const override { return absl::OkStatus(); }

   private:
    FakeEngine* const engine_;
    const std::map<std::string, std::string, std::less<>> entries_;
    std::map<std::string, std::string, std::less<>>::const_iterator at_;
  };

  absl::Status Called(std::string_view call, std::string_view key) {
    return on_call == nullptr ? absl::OkStatus() : on_call(call, key);
  }

  Mutex mutex_;
  Counts counts_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string, std::less<>> entries_ ABSL_GUARDED_BY(mutex_);
};

// Every store that it opens is empty.
inline EngineType FakeType(std::string name) {
  EngineType type;
  type.name = std::move(name);
  type.library = "a map";
  type.assertions = "off";
  type.options = [](const EngineSettings&) { return std::string("none"); };
  type.durability = "none";
  type.ordered = true;
  type.open = [](const EngineSettings&) -> absl::StatusOr<std::unique_ptr<Engine>> {
    return std::make_unique<FakeEngine>();
  };
  return type;
}

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_FAKE_ENGINE_H_
