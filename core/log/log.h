// The log of an open database: its segments, the order of what is written, and how far it is
// durable.
//
// One write lock orders everything that is written: numbers, places, bytes and - by the caller,
// under the same lock - publication in the keystore. Nothing that waits for the device happens
// under it, but for the appends themselves. The parts:
//
//   UserStream     the one chain of segments that grows
//   Sealer         footer, fdatasync and directory entry of full segments, in order
//   GroupCommit    writers that wait for durability share one sync
//   LiveSet        MANIFEST
//   Space          how much of each segment is live
//   LogStatus      why writing has ended, and events for the listener

#ifndef RUMCASK_CORE_LOG_LOG_H_
#define RUMCASK_CORE_LOG_LOG_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "core/listener.h"
#include "core/log/group_commit.h"
#include "core/log/live_set.h"
#include "core/log/log_status.h"
#include "core/log/recovery.h"
#include "core/log/sealer.h"
#include "core/log/segment.h"
#include "core/log/segment_factory.h"
#include "core/log/segment_table.h"
#include "core/log/segment_writer.h"
#include "core/log/space.h"
#include "core/log/user_stream.h"
#include "core/segment/descriptor_cache.h"
#include "core/system/background_thread.h"
#include "core/system/file_system.h"
#include "core/system/mapping_budget.h"
#include "core/system/mutex.h"
#include "core/system/space_reserve.h"

namespace rumcask {

// A segment, for as long as somebody looks into it: while the segment cannot be retired, as under
// the write lock or in the ReaderScope in which the location was found. So a pointer is enough.
class SegmentPin {
 public:
  explicit SegmentPin(Segment* segment) : segment_(segment) {}
  Segment* operator->() const { return segment_; }
  Segment& operator*() const { return *segment_; }

  // `bytes` of the segment's mapping, which stays, and the segment with it, as long as a copy of
  // the pointer.
  std::shared_ptr<const void> Keep(const char* bytes) const {
    segment_->pins.fetch_add(1, std::memory_order_relaxed);
    return {bytes, [kept = segment_->shared_from_this()](const void*) {
              // Whoever retires the segment may unmap it after it has seen this.
              kept->pins.fetch_sub(1, std::memory_order_release);
            }};
  }

 private:
  Segment* segment_;
};

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
    // What an index buffers in memory before it is written to disk, 0 if it never is.
    uint64_t index_buffer_bytes = 0;
  };

  // A quarter of what the process may have, 16 to 4,096.
  static uint64_t DefaultMaxOpenFiles(const ProcessLimits& limits);

  // `directory` must outlive the log, which becomes the source of its descriptors.
  Log(Directory* directory, const Config& config, bool read_only);
  ~Log();

  // Opens the files of a recovered log for reading. Changes nothing on disk. `made_in` is the file
  // system of a database that has no MANIFEST yet, null otherwise.
  absl::Status Open(RecoveredLog found, FileSystem* made_in = nullptr);

  // ---- segments ----

  // The segment of a location that a keystore gave out. The only way from one to the other.
  SegmentPin Pin(Location location) const { return SegmentPin(table_.Get(location.slot())); }
  // All segments, by id; each stays while it is held.
  std::vector<std::shared_ptr<Segment>> Segments() const { return table_.All(); }
  // The id of the segment in a slot, and the slot of the segment with an id, if there is one.
  uint64_t IdOfSlot(uint32_t slot) const { return table_.Get(slot)->id(); }
  std::optional<uint32_t> SlotOf(uint64_t id) const { return table_.SlotOf(id); }

  Space& space() { return space_; }
  const Space& space() const { return space_; }
  LiveSet& live_set() { return live_set_; }
  const LiveSet& live_set() const { return live_set_; }

  // ---- writing ----

  Mutex& write_mutex() ABSL_LOCK_RETURNED(write_mutex_) { return write_mutex_; }

  // Whether the log is being written already, as opposed to being as recovery found it. Once true
  // it stays true, after Close too.
  bool is_begun() const { return begun_.load(std::memory_order_acquire); }
  // Commits what recovery found, unless that was done before, and starts the background threads. To
  // be called before the first append. On error nothing was appended and it may be called again.
  absl::Status BeginWriting() ABSL_LOCKS_EXCLUDED(begin_mutex_, write_mutex_);

  // Numbers the records, appends them in one step and sets their locations. `bytes` is the sum of
  // their sizes. On error nothing was appended; errors are among those that db.h tells writers of,
  // except that it is Unavailable until BeginWriting has succeeded.
  absl::Status Append(absl::Span<NewRecord> records, uint64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);

  // What the file takes that was made ahead for the next segment.
  uint64_t prepared_bytes() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_) {
    return stream_.prepared_bytes();
  }

  // The segment that is written; null before the first record.
  const Segment* active() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_) {
    return stream_.active() == nullptr ? nullptr : stream_.active()->segment();
  }

  // The number of the newest record.
  uint64_t last_sequence() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_) {
    return last_sequence_;
  }

  // To be called after writing, without the lock: does what a background thread would, if there is
  // none or if it is too far behind.
  void AfterWrite() {
    if (sealer_.waiting() != 0) HelpSealing();
  }

  // Returns when all records with numbers <= `sequence` are durable.
  absl::Status WaitDurable(uint64_t sequence) { return group_commit_.WaitDurable(sequence); }

  // ---- a full disk ----

  // What makes room takes from it. OK from its CheckWhole comes before whatever only adds.
  SpaceReserve& reserve() { return reserve_; }
  const SpaceReserve& reserve() const { return reserve_; }

  // ---- compaction ----
  // One thread at a time calls these, and none beside Close. The log must be begun.

  // A survivor with a new file, which nothing refers to.
  absl::StatusOr<NewSurvivor> CreateSurvivor() ABSL_LOCKS_EXCLUDED(write_mutex_);
  // Makes a sealed survivor readable.
  void FinishSurvivor(NewSurvivor* survivor, const Trailer& trailer);
  // Removes a survivor that is not adopted.
  void DiscardSurvivor(const Segment& survivor) { factory_.DiscardSurvivor(survivor); }
  // Makes the survivors, which are sealed and durable, segments of the database: MANIFEST lists
  // them from then on, and their records can be pointed at. All of those have durable numbers. On
  // error they are no segments of the database, unless writing has ended.
  absl::Status Adopt(const std::vector<std::shared_ptr<Segment>>& survivors)
      ABSL_LOCKS_EXCLUDED(write_mutex_);
  // Appends a fence, a record that only takes a number, and sets its number and location. As
  // Append, but it may take the last bytes of a segment, which are kept free for fences. If it
  // `ends_segment` it begins the next one, so that the active one can be sealed.
  absl::Status AppendFence(NewRecord* fence, bool ends_segment)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // Takes the victims out of the database and removes their files. Nothing refers to them or reads
  // them, nothing will after a crash, and all numbers up to that of the `fence` are durable. On
  // error they stay, unless the error is that of an unlink.
  absl::Status Retire(const std::vector<std::shared_ptr<Segment>>& victims, uint64_t fence)
      ABSL_LOCKS_EXCLUDED(write_mutex_);

  // ---- checkpoints ----

  // The state after one write: its number, and what holds all records up to it.
  struct Captured {
    struct Piece {
      std::shared_ptr<Segment> segment;
      bool sealed;
      // Where the records end that belong to the state.
      uint64_t end;
    };
    std::vector<Piece> pieces;  // by id
    Manifest manifest;          // but for the live set, and what goes with it
    uint64_t last_sequence = 0;
    uint64_t next_sequence = 0;
    uint64_t highest_id = 0;
  };
  // No segment may be retired meanwhile.
  Captured Capture() ABSL_LOCKS_EXCLUDED(write_mutex_);

  // Durable, closed, MANIFEST clean. Further appends fail.
  absl::Status Close();
  // MANIFEST stays as it is from now on: to be called before the database's lock is let go of.
  void FreezeManifest();

  // ---- state ----

  LogStatus& health() { return status_; }
  // OK, or why writing has ended.
  absl::Status status() const { return status_.status(); }
  bool failed() const { return status_.failed(); }
  void TellListener() { status_.TellListener(); }
  uint64_t durable_sequence() const { return group_commit_.durable(); }
  uint64_t sync_count() const { return sync_count_.load(std::memory_order_relaxed); }
  uint64_t seal_count() const { return sealer_.sealed(); }
  const Uuid& uuid() const { return factory_.uuid(); }

 private:
  friend struct LogTestPeer;

  // Why nothing can be appended.
  absl::Status NotAppendable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // Which bytes of the active segment records may take: all but those that are kept free for
  // fences, all, or none, so that they begin the next one.
  enum class Part { kUsual, kAll, kNone };
  absl::Status AppendTo(Part part, absl::Span<NewRecord> records, uint64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  absl::Status AppendMarked(Part part, absl::Span<NewRecord> records, uint64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // Into the active segment, or the one after it.
  absl::Status Place(Part part, absl::Span<NewRecord> records, uint64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  absl::Status Roll(absl::Span<NewRecord> records, uint64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // After a failure, and if it is a full disk: places records that make room, in what the reserve
  // gives up.
  absl::Status PlaceFromReserve(Part part, absl::Span<NewRecord> records, uint64_t bytes,
                                absl::Status failure) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // Lets the reserve grow and shrink with the log.
  void HoldReserve();

  absl::StatusOr<std::shared_ptr<SegmentWriter>> ContinueLast();
  // Makes all that has been written durable; for GroupCommit.
  absl::Status SyncAll() ABSL_LOCKS_EXCLUDED(write_mutex_);
  // A segment and all before it are durable; for Sealer.
  void OnSealed(const Sealer::Job& job) ABSL_LOCKS_EXCLUDED(write_mutex_);
  void HelpSealing() ABSL_LOCKS_EXCLUDED(write_mutex_);
  absl::Status CloseFiles() ABSL_LOCKS_EXCLUDED(write_mutex_);

  // All segments with ids up to the highest that was given out.
  struct LiveSegments {
    std::map<uint64_t, LiveSet::LiveSegment> by_id;
    uint64_t highest_id = 0;
  };
  LiveSegments ListLive() ABSL_LOCKS_EXCLUDED(write_mutex_);
  // Replaces MANIFEST by one that lists these.
  absl::Status TurnOver(const LiveSegments& live, uint64_t horizon)
      ABSL_LOCKS_EXCLUDED(write_mutex_);

  absl::Status StartBackground();
  void StopBackground();
  void WakePreparer();
  void PrepareAhead() ABSL_LOCKS_EXCLUDED(write_mutex_);

  Directory* const directory_;
  const Config config_;
  const bool read_only_;
  // So many segments may wait to be sealed before writers help. Each takes one of max_open_files;
  // the others are read through.
  const uint64_t max_unsealed_;
  const std::shared_ptr<DescriptorCache> descriptors_;
  LogStatus status_;
  SpaceReserve reserve_;
  SegmentTable table_;
  SegmentFactory factory_;
  Space space_{&table_};
  LiveSet live_set_;
  // The segment that was cleanly closed and takes further records, if there is one.
  std::shared_ptr<Segment> found_last_;
  GroupCommit group_commit_;
  Sealer sealer_;

  // Held while the recovery is committed, and while closing begins. Acquired before the log's
  // others.
  Mutex begin_mutex_;
  std::atomic<bool> begun_{false};
  Mutex write_mutex_ ABSL_ACQUIRED_AFTER(begin_mutex_);
  // Neither as found, nor closed.
  bool appendable_ ABSL_GUARDED_BY(write_mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(write_mutex_) = false;
  uint64_t next_sequence_ ABSL_GUARDED_BY(write_mutex_) = 1;
  // Of the newest record. After an unclean end, numbers between it and next_sequence_ were never
  // given out, and nothing may vouch for them.
  uint64_t last_sequence_ ABSL_GUARDED_BY(write_mutex_) = 0;
  UserStream stream_ ABSL_GUARDED_BY(write_mutex_);
  std::atomic<uint64_t> sync_count_{0};

  // Reserves space ahead of the writers; must not wait for the device, as the other one does.
  BackgroundThread preparer_;
  // Seals and syncs. If there is only one thread it prepares too.
  BackgroundThread syncer_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_LOG_H_
