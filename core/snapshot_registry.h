// The open snapshots of an in-memory keystore, and the bound on what is kept for them.

#ifndef RUMCASK_CORE_SNAPSHOT_REGISTRY_H_
#define RUMCASK_CORE_SNAPSHOT_REGISTRY_H_

#include "rumcask/require_cxx17.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "rumcask/keystore.h"
#include "rumcask/mutex.h"

namespace rumcask {

// The numbers of the open snapshots.
class OpenSnapshots {
 public:
  void Add(uint64_t sequence) { sequences_.insert(sequence); }
  void Remove(uint64_t sequence) { sequences_.erase(sequences_.find(sequence)); }

  // The newest s with begin <= s < end, or null. Valid until the set is changed.
  const uint64_t* NewestIn(uint64_t begin, uint64_t end) const {
    auto it = sequences_.lower_bound(end);
    if (it == sequences_.begin() || *--it < begin) return nullptr;
    return &*it;
  }

 private:
  std::multiset<uint64_t> sequences_;
};

// Keeps for what is visible to a snapshot belongs to the keystore, under locks of its own, which
// come after this class's. Thread-safe.
class SnapshotRegistry {
 public:
  // `forget(sequence, open)` is called when a snapshot is gone, given up or let go of; `open` are
  // those that are left.
  using Forget = std::function<void(uint64_t sequence, const OpenSnapshots& open)>;

  SnapshotRegistry(uint64_t max_undo_bytes, Forget forget)
      : max_undo_bytes_(max_undo_bytes), forget_(std::move(forget)) {}

  std::shared_ptr<const KeystoreSnapshot> Take(uint64_t sequence);

  // Whether any is open. To be asked before every change.
  bool any() const { return count_.load(std::memory_order_relaxed) > 0; }
  // The same for a keystore that notes by itself where `forget` has to look: asked after such a
  // note (a sequentially consistent store, as forget's look must be a load), either it says no, or
  // forget will find the note.
  bool any_after_note() const { return count_.load(std::memory_order_seq_cst) > 0; }
  // The number of the snapshot that was taken last. Changes are made by the one thread that also
  // takes snapshots, so that it is exact there.
  uint64_t newest() const { return newest_.load(std::memory_order_relaxed); }

  // Why reads at the snapshot have to fail, if they have to. To be asked after looking, under the
  // lock that was held while looking and that `forget` takes.
  static absl::Status Check(const KeystoreSnapshot& snapshot);

  // Counts memory for what is kept, and back. To be called under the lock that guards it, lest what
  // another thread forgets is subtracted before it was added.
  void AddUndoBytes(uint64_t bytes) { undo_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  void SubtractUndoBytes(uint64_t bytes) {
    undo_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  }

  // Gives up the oldest snapshots beyond the bound. To be called after AddUndoBytes, by its thread,
  // without locks of the keystore.
  void KeepToBound();

  SnapshotUsage Usage() const {
    return {count_.load(std::memory_order_relaxed), undo_bytes_.load(std::memory_order_relaxed)};
  }

 private:
  class Held;

  void Release(Held* held);
  void Drop(Held* held) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const uint64_t max_undo_bytes_;
  const Forget forget_;
  Mutex mutex_;
  OpenSnapshots open_ ABSL_GUARDED_BY(mutex_);
  std::set<std::pair<uint64_t, Held*>> held_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> count_{0};
  std::atomic<uint64_t> newest_{0};
  std::atomic<uint64_t> undo_bytes_{0};
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_SNAPSHOT_REGISTRY_H_
