#include "core/snapshot_registry.h"

#include "absl/strings/str_cat.h"

namespace rumcask {

class SnapshotRegistry::Held : public KeystoreSnapshot {
 public:
  Held(uint64_t sequence, SnapshotRegistry* registry)
      : KeystoreSnapshot(sequence), registry_(registry) {}
  ~Held() override { registry_->Release(this); }

  std::atomic<bool> given_up{false};

 private:
  SnapshotRegistry* const registry_;
};

std::shared_ptr<const KeystoreSnapshot> SnapshotRegistry::Take(uint64_t sequence) {
  auto held = std::make_shared<Held>(sequence, this);
  MutexLock lock(mutex_);
  open_.Add(sequence);
  held_.emplace(sequence, held.get());
  newest_.store(sequence, std::memory_order_relaxed);
  count_.store(held_.size(), std::memory_order_relaxed);
  return held;
}

absl::Status SnapshotRegistry::Check(const KeystoreSnapshot& snapshot) {
  if (!static_cast<const Held&>(snapshot).given_up.load(std::memory_order_acquire)) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("the snapshot of version ", snapshot.sequence(),
                   " was given up: it and older ones kept more memory than max_undo_bytes"));
}

void SnapshotRegistry::KeepToBound() {
  if (undo_bytes_.load(std::memory_order_relaxed) <= max_undo_bytes_) return;
  MutexLock lock(mutex_);
  while (!held_.empty() && undo_bytes_.load(std::memory_order_relaxed) > max_undo_bytes_) {
    Held* const oldest = held_.begin()->second;
    oldest->given_up.store(true, std::memory_order_release);
    Drop(oldest);
  }
}

void SnapshotRegistry::Release(Held* held) {
  MutexLock lock(mutex_);
  if (!held->given_up.load(std::memory_order_relaxed)) Drop(held);
}

void SnapshotRegistry::Drop(Held* held) {
  held_.erase({held->sequence(), held});
  open_.Remove(held->sequence());
  count_.store(held_.size(), std::memory_order_seq_cst);
  forget_(held->sequence(), open_);
}

}  // namespace rumcask
