// The open snapshots of a keystore, the bound on what is kept for them, and the forgetting of what
// those that ended have left.
//
// A keystore keeps *undo records*: where a key was before a change. Each belongs to one snapshot,
// the newest open one that sees it, and is found through a list that the keystore has for that
// snapshot. When the snapshot ends, its records - these and no others - are looked at once: each
// goes to the newest snapshot left that sees it, or is freed.
//
// That is done in slices, each of which looks at a bounded number of records, without the lock of
// this class: one by the thread that lets go of the snapshot, the rest in the background or, where
// there is none, by those who change something or let go of a snapshot next, a slice each.
//
// Beyond the bound the oldest snapshot is given up, which only marks it; its records are forgotten
// like those of any that ended, and each change that adds a record above the bound helps with a
// few. What is still to be forgotten counts as memory, but not against the snapshots that are open:
// another one is given up only if what the open ones own is above the bound, or if all together
// is above it by more than an eighth. Then they are given up before a record is added, 64 at once;
// so the memory stays within 9/8 of the bound and a record for every 64 that are open, and nobody
// waits.

#ifndef RUMCASK_CORE_VERSIONS_SNAPSHOT_REGISTRY_H_
#define RUMCASK_CORE_VERSIONS_SNAPSHOT_REGISTRY_H_

#include "rumcask/require_cxx17.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "rumcask/background_thread.h"
#include "rumcask/keystore.h"
#include "rumcask/mutex.h"

namespace rumcask {

// Thread-safe. Its lock comes after the keystore's and is never held for longer than a look into a
// map. A keystore declares it before everything that is counted by undo_bytes(), and calls Stop in
// its destructor.
class SnapshotRegistry {
 public:
  // Records that one slice looks at, and those that a change above the bound helps with.
  static constexpr size_t kSlice = 128;
  static constexpr size_t kHelp = 16;

  struct Config {
    uint64_t max_undo_bytes = 0;
    // Whether there may be a thread that forgets. It is made when there is first something to do.
    bool background = false;
  };

  // Takes `count` records from the list of `ended`, a snapshot that is gone: each is freed, or, if
  // Reassign names another snapshot for it, goes to that one's list. Called without locks, by one
  // thread at a time, until all records that were assigned to `ended` have been taken.
  using Forget = std::function<void(uint64_t ended, size_t count)>;

  SnapshotRegistry(const Config& config, Forget forget)
      : max_undo_bytes_(config.max_undo_bytes),
        forget_(std::move(forget)),
        background_(config.background) {}
  ~SnapshotRegistry() { Stop(); }

  std::shared_ptr<const KeystoreSnapshot> Take(uint64_t sequence);

  // Whether any is open, or any that ended has left something. To be asked before every change; if
  // so, KeepUp has to be called after it.
  bool any() const { return busy_.load(std::memory_order_relaxed) > 0; }
  // The number of the newest one that is open. On the thread that takes snapshots, which is the one
  // that makes changes, it may be too high, as others let go of them, but not too low.
  uint64_t newest() const { return newest_.load(std::memory_order_relaxed); }

  // The newest open s with begin <= s < end, to which a new record now belongs, or none. To be
  // called under the lock of the keystore's lists, and the record to be put into the list under the
  // same: else Forget might find the list empty before.
  std::optional<uint64_t> Assign(uint64_t begin, uint64_t end);
  // The same for a record that belonged to a snapshot that ended.
  std::optional<uint64_t> Reassign(uint64_t begin, uint64_t end);

  // To be called after a change, without locks of the keystore that Forget takes: keeps to the
  // bound and, without a background, forgets.
  void KeepUp();

  // Why reads at the snapshot have to fail, if they have to. To be asked under the lock that is
  // held while looking for records and that Forget takes to free them.
  static absl::Status Check(const KeystoreSnapshot& snapshot);

  // Memory of records and lists, counted by the keystore.
  std::atomic<uint64_t>* undo_bytes() { return &undo_bytes_; }

  SnapshotUsage Usage() const;

  // Forgets all there is to forget. From now on there is no thread any more.
  void Finish();
  // Ends the thread and forgets nothing more: the keystore is about to be destroyed.
  void Stop();

 private:
  // All snapshots taken at one number.
  struct Moment {
    std::atomic<bool> given_up{false};
    uint64_t holders = 0;  // under mutex_
    uint64_t records = 0;  // under mutex_
  };
  struct Ended {
    uint64_t sequence = 0;
    uint64_t records = 0;  // that are left
  };
  using Moments = std::map<uint64_t, std::shared_ptr<Moment>>;
  class Held;

  void Release(Held* held);
  void End(Moments::iterator moment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveUp(Moments::iterator moment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The oldest, until the open ones own no more than the bound.
  void GiveUpBeyondBound() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsFarAboveBound() const;
  std::optional<uint64_t> AssignLocked(uint64_t begin, uint64_t end)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // After a change of open_, ended_ or background_.
  void Note() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Up to `most` records, unless somebody else is at it. Returns whether more are left to whoever
  // calls.
  bool ForgetSome(size_t most) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same, and leaves the rest to the background if there is one.
  void ForgetSlice(size_t most) ABSL_LOCKS_EXCLUDED(mutex_);
  void ForgetInBackground() ABSL_LOCKS_EXCLUDED(mutex_);
  void StartThread() ABSL_LOCKS_EXCLUDED(mutex_, start_mutex_);
  void StopThread() ABSL_LOCKS_EXCLUDED(mutex_, start_mutex_);

  const uint64_t max_undo_bytes_;
  const Forget forget_;
  std::atomic<uint64_t> undo_bytes_{0};
  std::atomic<uint64_t> busy_{0};
  std::atomic<uint64_t> newest_{0};
  std::atomic<bool> wants_help_{false};  // there is something to forget, and no background

  mutable Mutex mutex_;
  CondVar forgotten_;
  Moments open_ ABSL_GUARDED_BY(mutex_);
  uint64_t holders_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t open_records_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t ended_records_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t looked_at_ ABSL_GUARDED_BY(mutex_) = 0;
  // First come, first forgotten; none without records.
  std::deque<Ended> ended_ ABSL_GUARDED_BY(mutex_);
  bool forgetting_ ABSL_GUARDED_BY(mutex_) = false;  // somebody is in forget_
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool background_ ABSL_GUARDED_BY(mutex_);

  // A start is not beside a stop.
  Mutex start_mutex_;
  std::atomic<bool> started_{false};
  BackgroundThread thread_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_VERSIONS_SNAPSHOT_REGISTRY_H_
