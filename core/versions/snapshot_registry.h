// The open snapshots of a keystore, the bound on what is kept for them, and the forgetting of what
// ended snapshots have left.
//
// A keystore keeps *undo records*: where a key was before a change. Each record belongs to one
// snapshot, the newest open one that sees it, and is in a list that the keystore has for that
// snapshot. When the snapshot ends, the records on its list, and no others, are examined once: each
// goes to the newest remaining snapshot that sees it, or is freed.
//
// That is done in slices, each of which examines a bounded number of records, without holding the
// lock of this class. The thread that releases the snapshot does one slice. The rest is done in the
// background or, if there is no background thread, by later changes and releases, one slice each.
//
// Beyond the bound the oldest snapshot is given up, which only marks it. Its records are forgotten
// like those of a snapshot that ended, and each change above the bound helps with a few of them.
// Records still to be forgotten count as memory, but not against the open snapshots: another
// snapshot is given up only if the records of the open ones exceed the bound, or if all records
// together exceed it by more than an eighth. In the latter case snapshots are given up before a
// record is added, up to 64 at a time. So memory stays within 9/8 of the bound plus one record for
// every 64 open snapshots, and nobody waits.

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

// Thread-safe. Its lock is acquired after the keystore's and held only for a lookup in a map. A
// keystore declares the registry before everything that undo_bytes() counts, and calls Stop in its
// destructor.
class SnapshotRegistry {
 public:
  // The records that one slice examines, and those that a change above the bound helps with.
  static constexpr size_t kSlice = 128;
  static constexpr size_t kHelp = 16;

  // What a registry is made with.
  struct Config {
    // Bound on the memory for what only snapshots see.
    uint64_t max_undo_bytes = 0;
    // Whether there may be a thread that forgets. It is started when there is first something to
    // do.
    bool background = false;
  };

  // Takes `count` records from the list of `ended`, a snapshot that is gone. Each is freed or, if
  // Reassign names another snapshot for it, moved to that one's list. Called without locks, by one
  // thread at a time, until all records assigned to `ended` have been taken.
  using Forget = std::function<void(uint64_t ended, size_t count)>;

  // `forget` is called until Stop.
  SnapshotRegistry(const Config& config, Forget forget)
      : max_undo_bytes_(config.max_undo_bytes),
        forget_(std::move(forget)),
        background_(config.background) {}
  ~SnapshotRegistry() { Stop(); }

  // Opens a snapshot that sees all records with numbers up to `sequence`.
  std::shared_ptr<const KeystoreSnapshot> Take(uint64_t sequence);

  // Whether a snapshot is open or an ended one has left something. The keystore checks this before
  // every change; if it is true, KeepUp has to be called after the change.
  bool any() const { return busy_.load(std::memory_order_relaxed) > 0; }
  // The number of the newest open snapshot. On the thread that takes snapshots, which is also the
  // one that makes changes, it may be too high, because other threads release snapshots, but never
  // too low.
  uint64_t newest() const { return newest_.load(std::memory_order_relaxed); }

  // The newest open snapshot s with begin <= s < end, to which a new record now belongs, or none.
  // Must be called under the lock of the keystore's lists, and the record must be put into the list
  // under the same lock; otherwise Forget might find the list empty in between.
  std::optional<uint64_t> Assign(uint64_t begin, uint64_t end);
  // The same for a record that belonged to an ended snapshot.
  std::optional<uint64_t> Reassign(uint64_t begin, uint64_t end);

  // Keeps to the bound and, if there is no background thread, forgets. To be called after a change,
  // without locks of the keystore that Forget takes.
  void KeepUp();

  // OK, or why reads at the snapshot must fail. To be called under the lock that the reader holds
  // while it looks for records and that Forget takes to free them.
  static absl::Status Check(const KeystoreSnapshot& snapshot);

  // Memory of records and lists. The keystore counts it here.
  std::atomic<uint64_t>* undo_bytes() { return &undo_bytes_; }

  // What snapshots cost now.
  SnapshotUsage Usage() const;

  // Gives up the oldest open snapshot. Returns whether one was open. To be called without locks of
  // the keystore that Forget takes.
  bool GiveUpOldest();

  // Forgets everything there is to forget. Afterwards there is no thread any more.
  void Finish();
  // Ends the thread and forgets nothing more, because the keystore is about to be destroyed.
  void Stop();

 private:
  // All snapshots taken at one number.
  struct Moment {
    std::atomic<bool> given_up{false};
    uint64_t holders = 0;  // guarded by mutex_
    uint64_t records = 0;  // guarded by mutex_
  };
  struct Ended {
    uint64_t sequence = 0;
    uint64_t records = 0;  // still to be forgotten
  };
  using Moments = std::map<uint64_t, std::shared_ptr<Moment>>;
  class Held;

  void Release(Held* held);
  void End(Moments::iterator moment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveUp(Moments::iterator moment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Gives up the oldest snapshots until the open ones own no more than the bound.
  void GiveUpBeyondBound() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsFarAboveBound() const;
  std::optional<uint64_t> AssignLocked(uint64_t begin, uint64_t end)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // To be called after a change of open_, ended_ or background_: updates the atomic variables.
  void Note() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Forgets up to `most` records, unless another thread is doing it. Returns whether the caller has
  // to see to the records that are left.
  bool ForgetSome(size_t most) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same, but leaves the rest to the background thread if there is one.
  void ForgetSlice(size_t most) ABSL_LOCKS_EXCLUDED(mutex_);
  void ForgetInBackground() ABSL_LOCKS_EXCLUDED(mutex_);
  void StartThread() ABSL_LOCKS_EXCLUDED(mutex_, start_mutex_);
  void StopThread() ABSL_LOCKS_EXCLUDED(mutex_, start_mutex_);

  const uint64_t max_undo_bytes_;
  const Forget forget_;
  std::atomic<uint64_t> undo_bytes_{0};
  std::atomic<uint64_t> busy_{0};
  std::atomic<uint64_t> newest_{0};
  std::atomic<bool> wants_help_{false};  // there is something to forget and no background thread

  mutable Mutex mutex_;
  CondVar forgotten_;
  Moments open_ ABSL_GUARDED_BY(mutex_);
  uint64_t holders_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t open_records_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t ended_records_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t looked_at_ ABSL_GUARDED_BY(mutex_) = 0;
  // In the order in which they ended, which is the order of forgetting. Only those with records.
  std::deque<Ended> ended_ ABSL_GUARDED_BY(mutex_);
  bool forgetting_ ABSL_GUARDED_BY(mutex_) = false;  // a thread is in forget_
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool background_ ABSL_GUARDED_BY(mutex_);

  // Held so that no start runs beside a stop.
  Mutex start_mutex_;
  std::atomic<bool> started_{false};
  BackgroundThread thread_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_VERSIONS_SNAPSHOT_REGISTRY_H_
