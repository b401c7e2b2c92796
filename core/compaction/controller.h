// Compacts by itself: keeps the space that the log takes within its bound, and does what the
// options call for besides.

#ifndef RUMCASK_CORE_COMPACTION_CONTROLLER_H_
#define RUMCASK_CORE_COMPACTION_CONTROLLER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "core/compaction/compaction.h"
#include "core/compaction/compactor.h"
#include "core/compaction/measurement.h"
#include "core/compaction/writer_gate.h"
#include "core/log/log.h"
#include "core/plugin/keystore.h"
#include "core/system/background_thread.h"
#include "core/system/mutex.h"

namespace rumcask {

// When to compact; see CompactionOptions, whose words these are.
struct CompactionPolicy {
  struct Hours {
    int begin;
    int end;
  };

  double max_space_amplification = 1.5;
  double trigger_dead_share = 1;
  uint64_t trigger_dead_bytes = UINT64_MAX;
  double qualifying_dead_share = 1;
  uint64_t qualifying_dead_bytes = UINT64_MAX;
  // 0: none is small.
  uint64_t small_segment_bytes = 0;
  std::vector<Hours> windows;
  uint64_t segment_bytes = 0;
  // Whether the keystore is ordered.
  bool ordered = false;

  // Whether triggers count at that hour.
  bool IsIn(int hour) const;
};

// Thread-safe.
class CompactionController {
 public:
  // Called without locks, by a thread of their own: a listener may wait for somebody who is in a
  // write, and writes may wait for the thread that compacts. All or none.
  struct Events {
    std::function<void(const CompactionReport&)> on_job;
    std::function<void(const absl::Status&)> on_damage;
    std::function<void(const absl::Status&)> on_error;
  };

  // All must outlive it.
  CompactionController(CompactionPolicy policy, Compactor* compactor, Log* log, Keystore* keystore,
                       WriterGate* gate, Events events)
      : policy_(std::move(policy)),
        compactor_(compactor),
        log_(log),
        keystore_(keystore),
        gate_(gate),
        events_(std::move(events)) {}
  ~CompactionController() { Stop(); }

  // Begins to compact with the next write.
  void Start();
  // Lets writers through, stops the Compactor and ends the thread.
  void Stop();

  // While paused nothing is compacted and the bound is not kept. Returns when no job of this class
  // runs. Idempotent.
  void Pause();
  void Resume();

  // While less than half of the reserve of disk space is left: waits for compaction to make room,
  // as long as it is at work, and a few seconds at most. For deletes, which would take from it what
  // it needs for that. To be called as WriterGate::Pass.
  void AwaitRelief();

 private:
  // Begins the threads at the first call.
  absl::Status Wake();
  // Queues an event, and those of the log with it.
  void Tell(std::function<void()> event) ABSL_LOCKS_EXCLUDED(events_mutex_);
  void Deliver() ABSL_LOCKS_EXCLUDED(events_mutex_);
  void Work(bool timed_out) ABSL_LOCKS_EXCLUDED(working_);
  // Runs jobs for as long as there is something to do.
  void Look(bool timed_out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(working_);
  // Whether anything can have changed since the last look.
  bool IsWorthALook() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(working_);
  Room RoomIn(const SpaceMeasurement& now) const;
  // Measures, and if that may make a difference, finds out what was replaced lately.
  absl::Status Measure(Room* room, SpaceMeasurement* now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(working_);
  // Whether a job is called for, and of what.
  bool Decide(const Room& room, Selection* selection) ABSL_EXCLUSIVE_LOCKS_REQUIRED(working_);
  // Measures and runs one job. Sets `*again` if there may be more to do.
  absl::Status Round(bool* again) ABSL_EXCLUSIVE_LOCKS_REQUIRED(working_);
  // Gives up snapshots that keep too much, and refuses writers if PinnedValues do. Returns false in
  // the latter case.
  bool BoundPinned(const SpaceMeasurement& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(working_);
  // What the log may take beyond `max_space_amplification` times what is live.
  double Allowance() const { return 4.0 * static_cast<double>(policy_.segment_bytes); }

  const CompactionPolicy policy_;
  Compactor* const compactor_;
  Log* const log_;
  Keystore* const keystore_;
  WriterGate* const gate_;
  const Events events_;
  std::atomic<bool> stopped_{false};
  std::atomic<bool> paused_{false};
  // The thread is looking for something to do, or doing it.
  std::atomic<bool> works_{false};
  // What has to be dead before AwaitRelief waits again.
  std::atomic<uint64_t> waits_from_{0};
  // Held while the thread works. Acquired before all other locks of the database.
  Mutex working_;
  SpaceMeasurement last_ ABSL_GUARDED_BY(working_);
  // At the last look.
  uint64_t seals_ ABSL_GUARDED_BY(working_) = 0;
  int hour_ ABSL_GUARDED_BY(working_) = 0;
  // Live bytes were counted, where that is necessary.
  bool counted_ ABSL_GUARDED_BY(working_) = false;
  // Jobs run because of the bound.
  bool making_room_ ABSL_GUARDED_BY(working_) = false;
  // The disk was full, and jobs run until nothing is left that is worth one.
  bool relieving_ ABSL_GUARDED_BY(working_) = false;
  // The last look found something that time alone may change.
  bool unfinished_ ABSL_GUARDED_BY(working_) = false;
  std::string last_error_ ABSL_GUARDED_BY(working_);
  // In a row, and how many looks that time would call for are left out because of them.
  int failures_ ABSL_GUARDED_BY(working_) = 0;
  int rounds_to_skip_ ABSL_GUARDED_BY(working_) = 0;
  // When a snapshot was given up last.
  std::chrono::steady_clock::time_point gave_up_at_ ABSL_GUARDED_BY(working_);
  Mutex events_mutex_;
  std::vector<std::function<void()>> pending_events_ ABSL_GUARDED_BY(events_mutex_);
  BackgroundThread teller_;
  BackgroundThread thread_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_COMPACTION_CONTROLLER_H_
