// The log of an open database: all its segments, the one that grows, and how far it is durable.
//
// One write lock orders everything that is written: numbers, places, bytes and - by the caller,
// under the same lock - publication in the keystore. Only the acknowledgement of a synced write
// waits for the device, outside the lock.
//
//   roll   under the write lock: header and first records into the prepared segment, switch. All
//          that can fail comes before the switch: until then the segment is not part of the log
//   seal   in id order, in the background: footer, cut, fdatasync the old segment; fsync the
//          directory. Writers that are too far ahead help
//   sync   one leader at a time: let those whom the last sync has woken write again; note the end
//          under the write lock, wait until all earlier segments are sealed, fdatasync, wake
//          everyone it covers; the next append carries a sync mark

#ifndef RUMCASK_CORE_LOG_LOG_H_
#define RUMCASK_CORE_LOG_LOG_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/listener.h"
#include "core/log/descriptor_cache.h"
#include "core/log/recovery.h"
#include "core/log/segment.h"
#include "core/log/segment_table.h"
#include "core/log/segment_writer.h"
#include "core/system/background_thread.h"
#include "core/system/file_system.h"
#include "core/system/mapping_budget.h"
#include "core/system/mutex.h"

namespace rumcask {

class Log {
 public:
  // What of Options concerns the log.
  struct Config {
    uint64_t segment_bytes;
    // Records are stored into a mapping, where that can be had, and read from one.
    bool append_mapped;
    bool read_mapped;
    int background_threads;
    std::chrono::milliseconds sync_interval;
    std::shared_ptr<Listener> listener;
    // Descriptors that segments may take, and whose mappings they take.
    uint64_t max_open_files;
    uint64_t process_mappings;
    std::shared_ptr<MappingBudget> mapping_budget;
  };

  // A quarter of what the process may have, 16 to 4,096.
  static uint64_t DefaultMaxOpenFiles(const ProcessLimits& limits);

  // `directory` must outlive the set, which becomes the source of its descriptors.
  Log(Directory* directory, Config config, bool read_only);
  ~Log();

  // Opens the files of a recovered log for reading. Changes nothing on disk.
  absl::Status Open(RecoveredLog log);

  Segment* segment(Location location) const { return table_.Get(location.slot()); }
  const SegmentTable& table() const { return table_; }

  // ---- writing ----

  Mutex& write_mutex() ABSL_LOCK_RETURNED(write_mutex_) { return write_mutex_; }

  // Numbers the records, appends them in one step and sets their locations. `bytes` is the sum of
  // their sizes. On error nothing was appended; errors are among those that db.h tells writers of.
  absl::Status Append(absl::Span<NewRecord> records, uint64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);

  // The number of the newest record.
  uint64_t last_sequence() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_) {
    return last_sequence_;
  }

  // To be called after writing, without the lock: does what a background thread would, if there is
  // none or if it is too far behind.
  void AfterWrite() {
    if (unsealed_.load(std::memory_order_acquire) != 0) HelpSealing();
  }

  // Tells the listener what has happened since it was last told. To be called without any lock: at
  // the end of whatever may have failed or sealed.
  void TellListener();

  // Returns when all records with numbers <= `sequence` are durable.
  absl::Status WaitDurable(uint64_t sequence);

  // Writes MANIFEST with what `change` makes of it; nothing is changed on error. Possible until
  // KeepManifest, after Close too; later, and read-only, it does nothing.
  absl::Status ChangeManifest(const std::function<absl::Status(Manifest*)>& change)
      ABSL_LOCKS_EXCLUDED(write_mutex_);
  // Only while opening a database that has no MANIFEST yet: the same, written by `create`.
  absl::Status CreateManifest(const std::function<absl::Status(Manifest*)>& change,
                              const std::function<absl::Status(const Manifest&)>& create)
      ABSL_LOCKS_EXCLUDED(write_mutex_);
  // To be called before the database's lock is let go of.
  void KeepManifest() ABSL_LOCKS_EXCLUDED(write_mutex_);

  // Tells the listener, when it is told next, that writing has ended for a reason outside the log.
  void NoteBackgroundError(absl::Status status);

  // Calls `observer` once writing has ended for good, on the thread that found out, which may hold
  // any lock of the log's: it may take none of them. Null: no more, and none is under way.
  void SetFailureObserver(std::function<void()> observer) ABSL_LOCKS_EXCLUDED(observer_mutex_);

  // Durable, closed, MANIFEST clean. Further appends fail.
  absl::Status Close();

  // ---- state ----

  // OK, or why writing has ended.
  absl::Status status() const;
  uint64_t durable_sequence() const { return durable_.load(std::memory_order_acquire); }
  uint64_t sync_count() const { return sync_count_.load(std::memory_order_relaxed); }
  uint64_t seal_count() const { return seal_count_.load(std::memory_order_relaxed); }
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  const Uuid& uuid() const { return uuid_; }
  // Only while opening.
  const Manifest& manifest() const { return log_.manifest; }
  const RecoveredLog& recovered() const { return log_; }

 private:
  struct SealJob {
    std::shared_ptr<SegmentWriter> writer;  // of the full segment
    std::shared_ptr<Segment> successor;
    uint64_t end;
    uint64_t last_sequence;
  };

  struct SyncFigures {
    uint64_t writers = 0;
    std::chrono::nanoseconds duration{0};
  };

  // `maps`: if the modes ask for it and there is one left.
  absl::Status OpenSegment(const RecoveredSegment& recovered, bool maps);
  // Gives the segment what it is read through and, if it grows, written through: its file and, as
  // the modes and limits allow, a mapping of `bytes`.
  void AttachFile(Segment* segment, std::shared_ptr<File> file, uint64_t bytes, bool grows);
  std::unique_ptr<CachedFile> MakeCachedFile(const Segment& segment);

  // Turns the directory from "as found" into "being written", once.
  absl::Status BecomeWritable() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  absl::Status ContinueLast(const RecoveredSegment& last)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  absl::Status AppendMarked(uint64_t mark, absl::Span<NewRecord> records, uint64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // Into the active segment, or the one after it.
  absl::Status Place(absl::Span<NewRecord> records, uint64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  absl::Status Roll(absl::Span<NewRecord> records, uint64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  void Activate(std::shared_ptr<SegmentWriter> next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // A new file, with nothing in it yet.
  absl::StatusOr<std::shared_ptr<SegmentWriter>> Prepare(uint64_t id, uint64_t capacity);
  // Removes the file of a segment that was not born.
  void Discard(const SegmentWriter& writer);
  void DiscardPrepared() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);

  // FailedPrecondition if the database's directory, or `file` if it is not null, was removed.
  absl::Status CheckLinked(const File* file) const;
  // What an error of the system means to those who write: that a file is missing, or there already,
  // is no news of a key. If the directory was removed, that ends writing.
  absl::Status Explained(absl::Status status);

  absl::Status SealPending() ABSL_LOCKS_EXCLUDED(write_mutex_, seal_mutex_);
  void HelpSealing() ABSL_LOCKS_EXCLUDED(write_mutex_, seal_mutex_);
  // Seals the first segment that waits for it; tells whether there was one.
  absl::Status SealNext(bool* more) ABSL_LOCKS_EXCLUDED(write_mutex_)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(seal_mutex_);
  absl::Status Seal(const SealJob& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(seal_mutex_);
  absl::Status Lead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sync_mutex_);
  void Gather() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sync_mutex_);
  absl::Status SyncOnce() ABSL_LOCKS_EXCLUDED(write_mutex_);
  void RaiseDurable(uint64_t sequence);
  // Lets the next append vouch for `sequence`. To be called before anyone is told that it is
  // durable.
  void RaiseMark(uint64_t sequence) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  absl::Status CloseFiles() ABSL_LOCKS_EXCLUDED(write_mutex_);

  // Ends writing for good. May be called under locks; the listener hears of it from TellListener.
  void Fail(absl::Status status);

  absl::Status StartBackground();
  void StopBackground();
  void PrepareAhead();
  void WakePreparer();

  Directory* const directory_;
  const Config config_;
  const bool read_only_;
  // So many segments may wait to be sealed before writers help. Each takes one of max_open_files;
  // the others are read through.
  const uint64_t max_unsealed_;
  const std::shared_ptr<DescriptorCache> descriptors_;
  SegmentTable table_;
  Uuid uuid_ = {};  // since Open
  RecoveredLog log_;

  // Order of locks: seal_mutex_, write_mutex_, then the others, each alone.
  Mutex seal_mutex_;
  Mutex write_mutex_ ABSL_ACQUIRED_AFTER(seal_mutex_);
  bool writable_ ABSL_GUARDED_BY(write_mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(write_mutex_) = false;
  bool manifest_kept_ ABSL_GUARDED_BY(write_mutex_) = false;
  uint64_t next_sequence_ ABSL_GUARDED_BY(write_mutex_) = 1;
  // Of the newest record. After an unclean end, numbers between it and next_sequence_ were never
  // given out, and nothing may vouch for them.
  uint64_t last_sequence_ ABSL_GUARDED_BY(write_mutex_) = 0;
  uint64_t next_id_ ABSL_GUARDED_BY(write_mutex_) = 1;
  std::shared_ptr<SegmentWriter> active_ ABSL_GUARDED_BY(write_mutex_);
  std::shared_ptr<SegmentWriter> prepared_ ABSL_GUARDED_BY(write_mutex_);
  bool preparing_ ABSL_GUARDED_BY(write_mutex_) = false;
  // The segment before the active one, for its header.
  uint64_t tail_id_ ABSL_GUARDED_BY(write_mutex_) = 0;
  uint64_t tail_end_ ABSL_GUARDED_BY(write_mutex_) = 0;
  uint64_t tail_checksum_ ABSL_GUARDED_BY(write_mutex_) = 0;
  std::deque<SealJob> seals_ ABSL_GUARDED_BY(write_mutex_);
  // Whether the active segment's entry in the directory is durable.
  bool entry_durable_ ABSL_GUARDED_BY(write_mutex_) = false;
  // Where the active segment wants the background thread's help.
  uint64_t help_at_ ABSL_GUARDED_BY(write_mutex_) = UINT64_MAX;
  // How many segments wait to be sealed. Changed under the write lock.
  std::atomic<uint64_t> unsealed_{0};

  std::atomic<uint64_t> durable_{0};
  // What the next append shall vouch for with a sync mark; 0 for nothing.
  std::atomic<uint64_t> mark_{0};
  Mutex sync_mutex_;
  CondVar sync_done_;
  bool syncing_ ABSL_GUARDED_BY(sync_mutex_) = false;
  // The group of writers that the next sync covers, and how many of it wait.
  uint64_t group_ ABSL_GUARDED_BY(sync_mutex_) = 0;
  uint64_t waiting_ ABSL_GUARDED_BY(sync_mutex_) = 0;
  SyncFigures last_sync_ ABSL_GUARDED_BY(sync_mutex_);
  // How many writers the next leader waits for, and how long at most.
  CondVar gathered_;
  uint64_t expected_ ABSL_GUARDED_BY(sync_mutex_) = 0;
  std::chrono::nanoseconds patience_ ABSL_GUARDED_BY(sync_mutex_){0};
  std::atomic<uint64_t> sync_count_{0};
  std::atomic<uint64_t> seal_count_{0};

  mutable Mutex status_mutex_;
  absl::Status status_ ABSL_GUARDED_BY(status_mutex_);
  std::vector<std::function<void(Listener*)>> news_ ABSL_GUARDED_BY(status_mutex_);
  std::atomic<bool> failed_{false};
  Mutex observer_mutex_;
  std::function<void()> failure_observer_ ABSL_GUARDED_BY(observer_mutex_);

  // Reserves space ahead of the writers; must not wait for the device, as the other one does.
  BackgroundThread preparer_;
  // Seals and syncs. If there is only one thread it prepares too.
  BackgroundThread sealer_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_LOG_H_
