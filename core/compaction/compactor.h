// Gives the space of dead records back.
//
// A job (job.h) empties some segments. Then they wait: until all numbers up to the job's fence are
// durable, and in an index on disk; until nothing that is kept for snapshots leads to them; until
// all readers that may have looked them up before have ended; and until nobody keeps their bytes.
// Only then are they retired. Whatever takes long to come true holds up nothing but the segment's
// own space.

#ifndef RUMCASK_CORE_COMPACTION_COMPACTOR_H_
#define RUMCASK_CORE_COMPACTION_COMPACTOR_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "core/compaction/compaction.h"
#include "core/compaction/job.h"
#include "core/compaction/measurement.h"
#include "core/compaction/victims.h"
#include "core/log/segment.h"
#include "core/system/mutex.h"

namespace rumcask {

// Which segments a job may take.
struct Selection {
  // All with something dead, also tombstones that had to stay before, and where it is not known
  // what is dead, all.
  bool all = false;
  // Of which at least this share or so many bytes are dead.
  double dead_share = 0;
  uint64_t dead_bytes = UINT64_MAX;
  // If not 0, instead: with smaller files than this, whatever is dead in them.
  uint64_t smaller_than = 0;
  // With at least so much dead, as each job writes something. Does not count if `smaller_than`
  // does.
  uint64_t least_dead = 0;
  // The disk is full: those of which most is dead, one at a time.
  bool frugal = false;
};

// Thread-safe.
class Compactor {
 public:
  explicit Compactor(CompactionParts parts) : parts_(std::move(parts)) {}

  // Compacts what it pays most to compact, one job after the other, until the files of the database
  // have got smaller by `bytes` or there is nothing to gain. If `all`, every segment with a dead
  // record is compacted. The report is valid whatever the result is. FailedPrecondition in a thread
  // that reads. On other errors, what was done stays done, and the rest may be tried again. Adds to
  // `*damages` what could not be moved, for the listener.
  absl::Status Compact(uint64_t bytes, bool all, CompactionReport* report,
                       std::vector<absl::Status>* damages) ABSL_LOCKS_EXCLUDED(mutex_);

  // Retires what has become free and runs one job on the best of the selected segments. The same
  // errors. Sets `*gained` if the job emptied any. OK without doing anything while a Pause exists.
  absl::Status CompactOnce(const Selection& selection, CompactionReport* report,
                           std::vector<absl::Status>* damages, bool* gained)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Retires what has become free. The same errors.
  absl::Status RetireFree(CompactionReport* report) ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns once the index on disk has all that was written before.
  absl::Status BringIndexUpToDate() ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the active segment, so that it can be compacted, if at least so many bytes of it are dead,
  // tombstones not counted. Sets `*ended` if it did. The same errors.
  absl::Status EndActive(uint64_t least_dead, bool* ended) ABSL_LOCKS_EXCLUDED(mutex_);

  // Counts what is live in each segment; see CountLiveBytes.
  absl::Status CountLive(bool ordered) ABSL_LOCKS_EXCLUDED(mutex_);

  // Captures the log's state and pins its segments, until Release.
  Log::Captured Capture() ABSL_LOCKS_EXCLUDED(retire_mutex_);
  static void Release(const Log::Captured& state);

  // Since the database was opened.
  struct Totals {
    bool running;
    uint64_t jobs;
    uint64_t copied_records;
    uint64_t written_bytes;
    uint64_t retired_segments;
    uint64_t retired_bytes;
  };
  Totals totals() const {
    return {running_.load(std::memory_order_relaxed),
            jobs_.load(std::memory_order_relaxed),
            copied_records_.load(std::memory_order_relaxed),
            written_bytes_.load(std::memory_order_relaxed),
            retired_segments_.load(std::memory_order_relaxed),
            retired_bytes_.load(std::memory_order_relaxed)};
  }

  // Ends a running job soon, and lets none begin. Returns when there is none.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // For tests: `step` is called, without locks of the database but this class's, before each step
  // of a compaction. To be called before the first one.
  void SetStepHook(std::function<void(std::string_view)> step) {
    parts_.before_step = std::move(step);
  }

  // While one exists, no segment is retired; a compaction that is called for waits, unless it is
  // stopped. Waits for a job that is running.
  class Pause {
   public:
    // A null compactor needs no pause.
    explicit Pause(Compactor* compactor) : compactor_(compactor) {
      if (compactor_ != nullptr) compactor_->ChangePauses(1);
    }
    ~Pause() {
      if (compactor_ != nullptr) compactor_->ChangePauses(-1);
    }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    Compactor* const compactor_;
  };

 private:
  // A segment that a job has emptied.
  struct Emptied {
    std::shared_ptr<Segment> segment;
    uint64_t fence;
  };

  void ChangePauses(int by) ABSL_LOCKS_EXCLUDED(mutex_);

  // What one call may still take.
  struct Call {
    Selection selection;
    // Segments that it has taken, and the highest id of those to take, so that what it writes
    // itself is not compacted again.
    std::set<uint64_t> taken;
    uint64_t highest_id = 0;
    // There are some for whose copies there is no room on the disk.
    bool left_too_large = false;
  };

  // Waits until the index has all that was written, behind a fence unless that is one.
  absl::Status FenceIndex() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Tombstones count as dead only if `with_tombstones`.
  absl::Status EndActiveLocked(uint64_t least_dead, bool with_tombstones, bool* ended)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Waits while there are pauses.
  absl::Status Begin(Call* call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MayTake(const Call& call, const Segment& segment) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The best victims for one job, none if there is nothing to gain.
  CompactionPlan Choose(Call* call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The first of the candidates whose copies fit into the `room`; `most` bounds what is in flight.
  CompactionPlan Plan(const std::vector<VictimFigures>& candidates,
                      const std::unordered_map<uint64_t, std::shared_ptr<Segment>>& segments,
                      const Selection& selection, uint64_t room, uint64_t most) const;
  absl::Status RunJob(const CompactionPlan& plan, Call* call, CompactionReport* report,
                      std::vector<absl::Status>* damages, bool* gained)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountWaiting(CompactionReport* report) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Retires those of the emptied segments that nothing needs.
  absl::Status RetireEmptied(CompactionReport* report) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Those that nothing needs.
  std::vector<Emptied> TakeFree() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  CompactionParts parts_;
  std::atomic<bool> stopped_{false};
  // The number of the last fence of FenceIndex.
  uint64_t fenced_through_ ABSL_GUARDED_BY(mutex_) = 0;
  std::atomic<bool> running_{false};
  std::atomic<uint64_t> jobs_{0};
  std::atomic<uint64_t> copied_records_{0};
  std::atomic<uint64_t> written_bytes_{0};
  std::atomic<uint64_t> retired_segments_{0};
  std::atomic<uint64_t> retired_bytes_{0};
  // One job at a time. Acquired before all locks of the log.
  Mutex mutex_;
  CondVar resumed_;
  // Held while segments are retired, and while a state is captured that may have them.
  Mutex retire_mutex_ ABSL_ACQUIRED_AFTER(mutex_);
  int pauses_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Emptied> emptied_ ABSL_GUARDED_BY(mutex_);
  // Segments without a key table that could be read.
  std::set<uint64_t> unreadable_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_COMPACTION_COMPACTOR_H_
