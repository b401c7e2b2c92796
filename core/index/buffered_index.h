// The keystore in front of an index on disk: memtables, and a thread that applies them.
//
//   write    A change goes into the active memtable, under the write lock and in memory only.
//   freeze   The active memtable becomes immutable, under the write lock and between two writes:
//            when it has its bytes, when enough log was written since the last one, and at Close.
//   apply    The background takes the oldest frozen memtable. It makes the log durable through the
//            memtable's position, gives the index its keys in sorted parts and the position with
//            the last part, and flushes. Only then is the memtable forgotten.
//   read     A reader looks into the active memtable, the frozen ones from new to old, and then
//            into the index. An entry only ever moves in that direction, so a reader that looks in
//            that order cannot miss one that moves meanwhile.
//
// Two frozen memtables may wait to be applied; beyond that, writers wait. Every version is given to
// the past versions before it is replaced, in a memtable or in the index, so that snapshots find
// there what they see and the others no longer have.

#ifndef RUMCASK_CORE_INDEX_BUFFERED_INDEX_H_
#define RUMCASK_CORE_INDEX_BUFFERED_INDEX_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "core/index/index_entry.h"
#include "core/index/memtable.h"
#include "core/log/log.h"
#include "core/plugin/disk_index.h"
#include "core/plugin/keystore.h"
#include "core/system/background_thread.h"
#include "core/system/mutex.h"
#include "core/versions/empty_ranges.h"
#include "core/versions/past_versions.h"

namespace rumcask {

// Where a key was when it was looked up without the write lock.
struct CurrentState {
  bool exists = false;
  Location location;
  // Set by a BufferedIndex only: the record's number, and how many memtables had been merged into
  // the index before it was read. A conditional write reads again if the latter has changed.
  uint64_t sequence = 0;
  uint64_t generation = 0;
};

// What became of a record that was to be moved.
enum class Relocation {
  kNone,   // the key is not at the old location any more
  kMoved,  // and the record at the old location is dead
  // The applier will count the record at the old location as dead.
  kMovedLater,
};

class BufferedIndex : public Keystore {
 public:
  struct Config {
    std::string path;  // of the index, for messages
    uint64_t buffer_bytes;
    // The active memtable is frozen when so much log was written since the last freeze.
    uint64_t replay_bytes;
    uint64_t max_undo_bytes;
    bool background;
    bool read_only;
    uint64_t incarnation;
    uint64_t position;
    LiveBytes live;
    IndexWitness witness;
  };

  // `log` must outlive it; locations are those of its segments. `abandon` is called, under no lock,
  // when the index can no longer be trusted: it must make sure that the next opening builds a new
  // one.
  BufferedIndex(std::unique_ptr<DiskIndex> index, Log* log, Config config,
                std::function<void()> abandon);
  ~BufferedIndex() override;

  // ---- Keystore; without a comment, as the interface says ----

  void Digest(PreparedKey* key) const override;
  absl::Status Get(const PreparedKey& key, Location* location) const override;
  // Returns the key's location in the active memtable, or none. What a frozen memtable or the index
  // has is found when the memtable is applied.
  Location Set(const PreparedKey& key, Location location, uint64_t sequence) override;
  // Reads the index under the write lock if no memtable has the key; whoever moves many keys should
  // use RelocateSeen. If the key is not in the active memtable, the applier counts the record at
  // `from` as dead, as it does for Set.
  bool Relocate(const PreparedKey& key, Location from, Location to) override;
  // To be called by one thread, in ascending order of the numbers. When a memtable is full, what is
  // durable of it is applied to the index.
  void Load(absl::Span<const LoadEntry> entries, LoadContext* context) override;
  void FinishLoad() override {}
  std::shared_ptr<const KeystoreSnapshot> TakeSnapshot(uint64_t sequence) override {
    return past_.TakeSnapshot(sequence);
  }
  absl::Status GetAt(const KeystoreSnapshot& snapshot, const PreparedKey& key,
                     Location* location) const override;
  SnapshotUsage GetSnapshotUsage() const override { return past_.Usage(); }
  void VisitKept(absl::FunctionRef<void(Location)> visit) const override {
    past_.VisitLocations(visit);
  }
  bool GiveUpOldestSnapshot() override { return past_.GiveUpOldestSnapshot(); }
  void FinishForgetting() override { past_.FinishForgetting(); }
  absl::Status Scan(const KeystoreSnapshot& snapshot, const KeyRange& range, size_t limit,
                    KeyBlock* block) const override;
  // Of the index alone.
  uint64_t KeyCount() const override;
  uint64_t MemoryBytes() const override;

  // ---- conditions, by generation ----

  // Reads where the key is, without the write lock. It is no error if the key is absent.
  absl::Status ReadCurrent(const PreparedKey& key, CurrentState* seen) const;
  // To be called under the write lock. Sets `*now` to where the key is now, based on `seen` unless
  // a memtable has it. Returns false if only the index can tell; then call ReadCurrent again.
  bool Revalidate(const PreparedKey& key, const CurrentState& seen, Location* now) const;
  // To be called under the write lock. Does what Relocate does, based on `seen` unless a memtable
  // has the key. Returns false if only the index can tell; then call ReadCurrent again.
  bool RelocateSeen(const PreparedKey& key, const CurrentState& seen, Location from, Location to,
                    Relocation* relocation);

  // ---- the way to the index ----

  // To be called before writing, without locks. Waits while two memtables wait to be applied. The
  // error is the reason why nothing can be written: the index has failed, or its disk is full.
  absl::Status WaitForRoom();
  // To be called under the write lock, after a write or whole batch of `bytes` whose last record
  // has the number `sequence` and is at `last`.
  void OnWritten(uint64_t sequence, Location last, uint64_t bytes);
  // To be called under the write lock, after records were moved, where `sequence` is the number of
  // the newest record.
  void OnMoved(uint64_t sequence);
  // To be called under the write lock, after the fence with that number was appended at `fence`:
  // freezes, so that the position becomes the fence's.
  void OnFence(uint64_t sequence, Location fence);
  // To be called under the write lock. Notes what was counted together with all that was written
  // before, and hands out what it replaces, so that the caller may free it after the lock.
  void NoteCounted(LiveBytes* live);
  // Waits until the position is `sequence` or more, to which it must be on its way. The error is
  // the reason why it may never be: the index has failed, is short of room, or is closed. The
  // caller must be in no ReaderScope.
  absl::Status WaitApplied(uint64_t sequence);
  // To be called after writing, without locks. Applies memtables if there is no background thread,
  // and looks around deleted keys after many deletes.
  void AfterWrite();
  // Applies all memtables as far as the log is durable, and closes the index. Later reads fail.
  absl::Status Close();

  // To be called by whoever finds that the index led to the record of another key; the write lock
  // may be held. The index can no longer be trusted, so the next opening builds a new one. Returns
  // the error for the reader.
  absl::Status ReportMisdirected(Location location) const;

  // OK, or why the index accepts no more changes.
  absl::Status status() const;
  // All records with numbers up to this are durably in the index.
  uint64_t position() const { return position_.load(std::memory_order_acquire); }
  uint64_t IndexFileBytes() const;
  // Whether KeyCount is exact: the index counts its keys, and every change has been applied.
  bool counts_exactly() const;
  // Whether the segments' live bytes are exact but for what is in memtables, as opposed to an upper
  // bound.
  bool live_bytes_exact() const { return reports_replaced_; }

 private:
  class Batch;
  class Sources;
  // What to do about an index whose position lags behind: return the error, or wait for a while.
  enum class Patience { kTells, kWaits };
  using Buffers = std::deque<std::shared_ptr<Memtable>>;

  std::shared_ptr<Memtable> NewBuffer() {
    return std::make_shared<Memtable>(config_.buffer_bytes, &past_, &empty_);
  }
  // Returns false if it had been stopped before.
  bool StopApplier() ABSL_LOCKS_EXCLUDED(state_mutex_);
  void Freeze(uint64_t position);
  // Applies all frozen memtables, oldest first, one after the other.
  absl::Status ApplyFrozen(Patience patience) ABSL_LOCKS_EXCLUDED(apply_mutex_);
  absl::Status ApplyNext(Patience patience, bool* more) ABSL_EXCLUSIVE_LOCKS_REQUIRED(apply_mutex_);
  // With so many keys in one batch.
  absl::Status ApplyBuffer(Memtable* buffer, DiskIndex* index, size_t keys_at_once)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(apply_mutex_);
  // OK if the index durably has the memtable; sets `*lags` if it does not yet.
  absl::Status CheckPosition(const Memtable& buffer, const DiskIndex& index, bool* lags) const;
  // Counts how often the position has lagged. Returns the error for it, OK if it is too early for
  // one.
  absl::Status NoteLag(Patience patience) ABSL_LOCKS_EXCLUDED(state_mutex_);
  // The position that the index has once the memtable is applied.
  IndexPosition PositionAfter(const Memtable& buffer) const;
  // Notes why a memtable was not applied, for now or permanently. May be called under the write
  // lock, for instance when a damaged index is read under it.
  void SetFailed(const absl::Status& status) const;
  // Calls `abandon` if the index has failed permanently since the last call. To be called without
  // locks, as `abandon` writes MANIFEST: by the background thread or, if there is none, after
  // writes and by Close.
  void AbandonIfFailed();
  void NoteProgress();
  // Sets whether writers have to look at the state before they write.
  void UpdateThrottle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_mutex_);
  // Waits a while after an error. Returns false if there is no use in trying again.
  bool PauseBeforeRetry() ABSL_LOCKS_EXCLUDED(state_mutex_);

  // Notes, after many deletes, how far around the last one there are no keys, so that scans can
  // skip them. Otherwise the first scan would have to step over all of them to find out.
  void ExploreDeleted();

  // The location that Get finds, and the record's number.
  absl::Status Find(const PreparedKey& key, KeyVersion* version) const;
  // Returns whether a memtable has an entry for the key, which may be a delete, and the newest one.
  bool FindInBuffers(const PreparedKey& key, KeyVersion* version) const;
  absl::Status FindInIndex(std::string_view key, KeyVersion* version) const;
  absl::Status ScanIndex(const KeyRange& range, size_t limit, KeyBlock* block) const;
  absl::Status Decode(std::string_view value, KeyVersion* version) const;
  // Notes that the index is damaged, and returns the error.
  absl::Status Damaged(const std::string& how) const;
  IndexEntry EntryFor(const KeyVersion& version) const;
  absl::Status Closed() const;

  // Frozen memtables beyond which writers wait: one is being applied and one is next.
  static constexpr size_t kMostFrozen = 2;

  const Config config_;
  Log* const log_;
  const std::function<void()> abandon_;
  const bool reports_replaced_;
  PastVersions past_;
  mutable EmptyRanges empty_;

  // apply_mutex_ is acquired before the write lock, and that one before buffers_mutex_; the whole
  // order is in DESIGN.md.
  Mutex apply_mutex_;
  // As in the index.
  LiveBytes live_ ABSL_GUARDED_BY(apply_mutex_);
  IndexWitness witness_ ABSL_GUARDED_BY(apply_mutex_);

  // What it guards is changed only while the write lock is held as well, so that either suffices
  // for reading.
  mutable ReadMostlyMutex buffers_mutex_;
  std::shared_ptr<Memtable> active_ ABSL_GUARDED_BY(buffers_mutex_);
  Buffers frozen_ ABSL_GUARDED_BY(buffers_mutex_);  // oldest first
  // How many memtables have been merged into the index. Changed under the write lock.
  std::atomic<uint64_t> generation_{0};
  // Guarded by the write lock: log written since the last freeze, and the newest record.
  uint64_t log_since_freeze_ = 0;
  uint64_t written_since_freeze_ = 0;
  Location last_;
  // Guarded by the write lock: deletes since ExploreDeleted was last due, and after how many it is
  // due again.
  uint64_t deletes_ = 0;
  std::atomic<uint64_t> deletes_to_explore_;

  // Whether ExploreDeleted is due, and the key to explore around.
  Mutex explore_mutex_;
  std::atomic<bool> explores_{false};
  std::string explored_key_ ABSL_GUARDED_BY(explore_mutex_);

  // Null after Close, which takes apply_mutex_ too.
  mutable ReadMostlyMutex index_mutex_;
  std::unique_ptr<DiskIndex> index_ ABSL_GUARDED_BY(index_mutex_);

  mutable Mutex state_mutex_;
  mutable CondVar changed_;
  mutable absl::Status status_ ABSL_GUARDED_BY(state_mutex_);
  mutable std::atomic<bool> abandons_{false};
  mutable bool failed_ ABSL_GUARDED_BY(state_mutex_) = false;  // permanently
  bool closed_ ABSL_GUARDED_BY(state_mutex_) = false;
  // Whether the index has been short of room, or of something else that may come back.
  bool was_short_ ABSL_GUARDED_BY(state_mutex_) = false;
  // How often in a row its position has lagged behind what it flushed.
  int lags_ ABSL_GUARDED_BY(state_mutex_) = 0;
  // Whether WaitForRoom has to look at the state: memtables wait, or the index has failed.
  mutable std::atomic<bool> throttled_{false};
  bool background_ = false;           // there is a thread; otherwise writers apply
  std::atomic<uint64_t> waiting_{0};  // frozen memtables
  std::atomic<uint64_t> position_;

  mutable BackgroundThread applier_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_BUFFERED_INDEX_H_
