#include "tests/linearizability/distorted_keystore.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/plugin/keystore.h"
#include "core/system/mutex.h"

namespace rumcask {
namespace {

// True in about one of `period` calls of this thread. Shares nothing with other threads, because
// that would order their memory accesses.
bool Chance(uint64_t period) {
  thread_local uint64_t state =
      reinterpret_cast<uintptr_t>(&state) * uint64_t{0x9e3779b97f4a7c15} | 1;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (state >> 20) % period == 0;
}

// Forwards all calls; subclasses override what they distort.
class YieldingKeystore : public Keystore {
 public:
  YieldingKeystore(std::unique_ptr<Keystore> inner, uint64_t period)
      : inner_(std::move(inner)), period_(period) {}

  void Digest(PreparedKey* key) const override { inner_->Digest(key); }
  void Prefetch(const PreparedKey& key) const override { inner_->Prefetch(key); }
  absl::Status Get(const PreparedKey& key, Location* location) const override {
    MaybeYield();
    absl::Status status = inner_->Get(key, location);
    MaybeYield();
    return status;
  }
  Location Set(const PreparedKey& key, Location location, uint64_t sequence) override {
    MaybeYield();
    const Location before = inner_->Set(key, location, sequence);
    MaybeYield();
    return before;
  }
  bool Relocate(const PreparedKey& key, Location from, Location to) override {
    return inner_->Relocate(key, from, to);
  }
  void Load(absl::Span<const LoadEntry> entries, LoadContext* context) override {
    inner_->Load(entries, context);
  }
  void FinishLoad() override { inner_->FinishLoad(); }
  uint64_t KeyCount() const override { return inner_->KeyCount(); }
  uint64_t MemoryBytes() const override { return inner_->MemoryBytes(); }
  std::shared_ptr<const KeystoreSnapshot> TakeSnapshot(uint64_t sequence) override {
    return inner_->TakeSnapshot(sequence);
  }
  absl::Status GetAt(const KeystoreSnapshot& snapshot, const PreparedKey& key,
                     Location* location) const override {
    return inner_->GetAt(snapshot, key, location);
  }
  SnapshotUsage GetSnapshotUsage() const override { return inner_->GetSnapshotUsage(); }
  void VisitKept(absl::FunctionRef<void(Location)> visit) const override {
    inner_->VisitKept(visit);
  }
  void FinishForgetting() override { inner_->FinishForgetting(); }
  absl::Status Scan(const KeystoreSnapshot& snapshot, const KeyRange& range, size_t limit,
                    KeyBlock* block) const override {
    return inner_->Scan(snapshot, range, limit, block);
  }
  std::unique_ptr<KeystoreCursor> NewCursor(
      std::shared_ptr<const KeystoreSnapshot> snapshot) const override {
    return inner_->NewCursor(std::move(snapshot));
  }

 protected:
  bool Strikes() const { return Chance(period_); }
  // The current location of the key.
  Location Current(const PreparedKey& key) const {
    Location location;
    return inner_->Get(key, &location).ok() ? location : Location();
  }

  const std::unique_ptr<Keystore> inner_;

 private:
  void MaybeYield() const {
    if (Chance(8)) std::this_thread::yield();
  }

  const uint64_t period_;
};

class StaleGetKeystore : public YieldingKeystore {
 public:
  using YieldingKeystore::YieldingKeystore;

  absl::Status Get(const PreparedKey& key, Location* location) const override {
    if (Strikes()) {
      MutexLock lock(mutex_);
      auto it = previous_.find(key.key);
      if (it != previous_.end()) {
        *location = it->second;
        return absl::OkStatus();
      }
    }
    return YieldingKeystore::Get(key, location);
  }
  Location Set(const PreparedKey& key, Location location, uint64_t sequence) override {
    const Location before = YieldingKeystore::Set(key, location, sequence);
    MutexLock lock(mutex_);
    if (before.exists()) previous_[std::string(key.key)] = before;
    return before;
  }

 private:
  mutable Mutex mutex_;
  std::map<std::string, Location, std::less<>> previous_ ABSL_GUARDED_BY(mutex_);
};

class DroppedApplyKeystore : public YieldingKeystore {
 public:
  using YieldingKeystore::YieldingKeystore;

  Location Set(const PreparedKey& key, Location location, uint64_t sequence) override {
    return Strikes() ? Current(key) : YieldingKeystore::Set(key, location, sequence);
  }
};

class LateApplyKeystore : public YieldingKeystore {
 public:
  using YieldingKeystore::YieldingKeystore;

  // Called by one thread at a time, as core does.
  Location Set(const PreparedKey& key, Location location, uint64_t sequence) override {
    if (late_.has_value()) {
      PreparedKey prepared(late_->key);
      Digest(&prepared);
      YieldingKeystore::Set(prepared, late_->location, late_->sequence);
      late_.reset();
    }
    if (!Strikes()) return YieldingKeystore::Set(key, location, sequence);
    late_ = Late{std::string(key.key), location, sequence};
    return Current(key);
  }

 private:
  struct Late {
    std::string key;
    Location location;
    uint64_t sequence;
  };

  std::optional<Late> late_;
};

std::unique_ptr<Keystore> Distort(std::unique_ptr<Keystore> inner, Distortion distortion,
                                  uint64_t period) {
  switch (distortion) {
    case Distortion::kYield:
      break;
    case Distortion::kStaleGet:
      return std::make_unique<StaleGetKeystore>(std::move(inner), period);
    case Distortion::kDroppedApply:
      return std::make_unique<DroppedApplyKeystore>(std::move(inner), period);
    case Distortion::kLateApply:
      return std::make_unique<LateApplyKeystore>(std::move(inner), period);
  }
  return std::make_unique<YieldingKeystore>(std::move(inner), period);
}

}  // namespace

KeystoreFactory Distorted(KeystoreFactory factory, Distortion distortion, uint64_t period) {
  KeystoreFactory distorted;
  distorted.traits = factory.traits;
  distorted.create =
      [create = std::move(factory.create), distortion,
       period](const KeystoreConfig& config) -> absl::StatusOr<std::unique_ptr<Keystore>> {
    absl::StatusOr<std::unique_ptr<Keystore>> inner = create(config);
    if (!inner.ok()) return inner.status();
    return Distort(*std::move(inner), distortion, period);
  };
  return distorted;
}

}  // namespace rumcask
