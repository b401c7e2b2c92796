// The keystore in front of an index on disk: "btree plus an applier".
//
//   write    into the active buffer, under the write lock: memory only
//   freeze   under the write lock, between two writes: by memory, by log written since, at Close
//   apply    in the background, oldest first: make the log durable through the buffer's position;
//            bring its keys to the index in sorted parts, the position with the last; flush; only
//            then forget the buffer
//   read     active buffer, frozen ones from new to old, then the index. In this order: keys wander
//            that way, so none is missed
//
// Two frozen buffers may wait; then writers do. What a snapshot sees and the index no longer has is
// in the past versions, which are told of every version before it is replaced, wherever it is.

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

#include "absl/container/flat_hash_map.h"
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
  // Of a BufferedIndex: the record's number, and how many buffers had been merged into the index
  // before. A conditional write looks again if that has changed.
  uint64_t sequence = 0;
  uint64_t generation = 0;
};

class BufferedIndex : public Keystore {
 public:
  struct Config {
    std::string path;  // of the index, for messages
    uint64_t buffer_bytes;
    // Log written since the last freeze that brings the next one.
    uint64_t replay_bytes;
    uint64_t max_undo_bytes;
    bool background;
    bool read_only;
    uint64_t incarnation;
    uint64_t position;
    LiveBytes live;
    IndexWitness witness;
  };

  // `segments` must outlive it; locations are those of its table. `abandon` is called, under
  // no lock, when the index can no longer be trusted: it sees to it that the next opening builds a
  // new one.
  BufferedIndex(std::unique_ptr<DiskIndex> index, Log* segments, Config config,
                std::function<void()> abandon);
  ~BufferedIndex() override;

  // ---- as every keystore; those not named here do as the interface says ----

  void Prepare(PreparedKey* key) const override;
  absl::Status Get(const PreparedKey& key, Location* location) const override;
  // Returns what the active buffer had: what is elsewhere is found when the buffer is applied.
  Location Apply(const PreparedKey& key, Location location, uint64_t sequence) override;
  // Looks into the index, under the write lock, if no buffer has the key; who moves many keys uses
  // RelocateSeen. If the key is not in the active buffer, the applier counts the record that it
  // leaves as dead, as for Apply.
  bool Relocate(const PreparedKey& key, Location from, Location to) override;
  // By one thread, in ascending order of the numbers. What of it is durable goes on to the index
  // when the buffer is full.
  void Load(absl::Span<const LoadEntry> entries, LoadContext* context) override;
  void FinishLoad() override {}
  std::shared_ptr<const KeystoreSnapshot> TakeSnapshot(uint64_t sequence) override {
    return past_.TakeSnapshot(sequence);
  }
  absl::Status GetAt(const KeystoreSnapshot& snapshot, const PreparedKey& key,
                     Location* location) const override;
  SnapshotUsage GetSnapshotUsage() const override { return past_.Usage(); }
  void FinishForgetting() override { past_.FinishForgetting(); }
  absl::Status Scan(const KeystoreSnapshot& snapshot, const KeyRange& range, size_t limit,
                    KeyBlock* block) const override;
  // Of the index alone.
  uint64_t KeyCount() const override;
  uint64_t MemoryBytes() const override;

  // ---- conditions, by generation ----

  // Looks the key up without the write lock. An absent key is OK.
  absl::Status ReadCurrent(const PreparedKey& key, CurrentState* seen) const;
  // Under the write lock: where the key is now, going by what was observed if it must; false if
  // that cannot be told without the index. Then observe again.
  bool Revalidate(const PreparedKey& key, const CurrentState& seen, Location* now) const;
  // Under the write lock: Relocate, going by what was observed if it must; `*moved` if the key was
  // at `from`. False if that cannot be told without the index. Then observe again.
  bool RelocateSeen(const PreparedKey& key, const CurrentState& seen, Location from, Location to,
                    bool* moved);

  // ---- the way to the index ----

  // To be called before writing, without locks: waits while two buffers wait for the index. Tells
  // why there is no writing: the index has failed, or its disk is full.
  absl::Status WaitForRoom();
  // To be called under the write lock after a write or whole batch of `bytes` whose last record has
  // the number `sequence` and is at `last`.
  void OnWritten(uint64_t sequence, Location last, uint64_t bytes);
  // To be called after writing, without locks: does what the background would, if there is none,
  // and what many deletes ask for.
  void AfterWrite();
  // Brings all to the index, as far as the log is durable, and lets go of it. Later reads fail.
  absl::Status Close();

  // To be called by whoever finds that the index led to a record that is not the key's. Returns the
  // error for the reader: the index can't be trusted, and the next opening builds a new one.
  absl::Status ReportMisdirected(Location location) const;

  // OK, or why the index takes nothing more.
  absl::Status status() const;
  // All records with numbers up to this are in the index for good.
  uint64_t position() const { return position_.load(std::memory_order_acquire); }
  uint64_t IndexFileBytes() const;
  // Whether KeyCount is exact: the index counts, and no buffer has anything that it lacks.
  bool counts_exactly() const;
  // Whether segments' live bytes are exact, buffers aside, or an upper bound.
  bool live_bytes_exact() const { return exact_; }

 private:
  class Batch;
  class Sources;
  // Whether an index that is not ready yet is told of, or waited for a while.
  enum class Patience { kTells, kWaits };
  using Buffers = std::deque<std::shared_ptr<Memtable>>;

  std::shared_ptr<Memtable> NewBuffer() {
    return std::make_shared<Memtable>(config_.buffer_bytes, &past_, &empty_);
  }
  // False if that had been done.
  bool StopApplier() ABSL_LOCKS_EXCLUDED(state_mutex_);
  void Freeze(uint64_t position);
  // All there are, oldest first, one after the other.
  absl::Status ApplyFrozen(Patience patience) ABSL_LOCKS_EXCLUDED(apply_mutex_);
  absl::Status ApplyNext(Patience patience, bool* more) ABSL_EXCLUSIVE_LOCKS_REQUIRED(apply_mutex_);
  absl::Status ApplyBuffer(Memtable* buffer, DiskIndex* index)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(apply_mutex_);
  // Whether the index has the buffer for good; `*lags` if it has not yet.
  absl::Status CheckPosition(const Memtable& buffer, const DiskIndex& index, bool* lags) const;
  // Counts that the position lags. Returns what to say of it, OK if it is too early to say
  // anything.
  absl::Status NoteLag(Patience patience) ABSL_LOCKS_EXCLUDED(state_mutex_);
  // What the index will say about itself when it has the buffer.
  IndexPosition PositionAfter(const Memtable& buffer) const;
  // Notes why the buffer was not applied: for now, or for good.
  // May be called under the write lock, e.g. by a look into a damaged index.
  void SetFailed(const absl::Status& status) const;
  // Calls `abandon` if the index has failed for good since. Without locks, as that waits for the
  // write lock: by the background, or where there is none after writes and by Close.
  void AbandonIfFailed();
  void NoteProgress();
  // Whether writers have to look at the state before they write.
  void UpdateThrottle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_mutex_);
  // After an error: waits a while. False if there is no use in trying again.
  bool PauseBeforeRetry() ABSL_LOCKS_EXCLUDED(state_mutex_);

  // After many deletes: looks whether those around the last one can be passed by in scans. A scan
  // of all that was deleted would otherwise have to find out, once.
  void ExploreDeleted();

  // What Get finds, and its number.
  absl::Status Find(const PreparedKey& key, KeyVersion* version) const;
  // The entry a buffer has for the key, the newest if there are several.
  bool FindInBuffers(const PreparedKey& key, KeyVersion* version) const;
  absl::Status FindInIndex(std::string_view key, KeyVersion* version) const;
  absl::Status ScanIndex(const KeyRange& range, size_t limit, KeyBlock* block) const;
  absl::Status Decode(std::string_view value, KeyVersion* version) const;
  // Notes that the index is damaged, and says so.
  absl::Status Damaged(const std::string& how) const;
  IndexEntry EntryFor(const KeyVersion& version) const;
  absl::Status Closed() const;

  // Frozen buffers beyond which writers wait: one is being applied and one is next.
  static constexpr size_t kMostFrozen = 2;

  const Config config_;
  Log* const log_;
  const std::function<void()> abandon_;
  const bool exact_;
  PastVersions past_;
  mutable EmptyRanges empty_;

  // Order of locks: apply_mutex_, the write lock, buffers_mutex_. Under the last one come a
  // buffer's own, the past versions', the snapshots' and the empty ranges', in this order. The
  // others, below, are held alone.
  Mutex apply_mutex_;
  // As in the index.
  LiveBytes live_ ABSL_GUARDED_BY(apply_mutex_);
  IndexWitness witness_ ABSL_GUARDED_BY(apply_mutex_);

  // Changed under the write lock too, so that whoever has that may read.
  mutable ReadMostlyMutex buffers_mutex_;
  std::shared_ptr<Memtable> active_ ABSL_GUARDED_BY(buffers_mutex_);
  Buffers frozen_ ABSL_GUARDED_BY(buffers_mutex_);  // oldest first
  // How many frozen buffers have gone. Changed under the write lock.
  std::atomic<uint64_t> generation_{0};
  // Under the write lock: log written since the last freeze; the newest record.
  uint64_t log_since_freeze_ = 0;
  Location last_;
  // Under the write lock: deletes since ExploreDeleted was asked for, and after how many it is.
  uint64_t deletes_ = 0;
  std::atomic<uint64_t> deletes_to_explore_;

  // The key to explore around, if one is asked for.
  Mutex explore_mutex_;
  std::atomic<bool> explores_{false};
  std::string explored_key_ ABSL_GUARDED_BY(explore_mutex_);

  // Null after Close, which takes apply_mutex_ too.
  mutable ReadMostlyMutex index_mutex_;
  std::unique_ptr<DiskIndex> index_ ABSL_GUARDED_BY(index_mutex_);

  // From the id of a segment to its slot.
  mutable ReadMostlyMutex slots_mutex_;
  mutable absl::flat_hash_map<uint64_t, uint32_t> slots_ ABSL_GUARDED_BY(slots_mutex_);
  mutable uint32_t slots_seen_ ABSL_GUARDED_BY(slots_mutex_) = 0;  // those below are in there

  mutable Mutex state_mutex_;
  mutable CondVar changed_;
  mutable absl::Status status_ ABSL_GUARDED_BY(state_mutex_);
  mutable std::atomic<bool> abandons_{false};
  mutable bool failed_ ABSL_GUARDED_BY(state_mutex_) = false;  // for good
  bool closed_ ABSL_GUARDED_BY(state_mutex_) = false;
  // Whether the index has been short of room, or of something else that may come back.
  bool was_short_ ABSL_GUARDED_BY(state_mutex_) = false;
  // How often in a row its position has lagged behind what it flushed.
  int lags_ ABSL_GUARDED_BY(state_mutex_) = 0;
  // Whether WaitForRoom has to look: buffers wait, or the index has failed.
  mutable std::atomic<bool> throttled_{false};
  bool background_ = false;           // whether there is a thread; else writers apply
  std::atomic<uint64_t> waiting_{0};  // frozen buffers
  std::atomic<uint64_t> position_;

  mutable BackgroundThread applier_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_BUFFERED_INDEX_H_
