// Lets all writers that wait for durability share one sync.
//
// One of them leads. It lets those whom the last sync has woken write again, then syncs for
// everyone who has written by then, and wakes them all.

#ifndef RUMCASK_CORE_LOG_GROUP_COMMIT_H_
#define RUMCASK_CORE_LOG_GROUP_COMMIT_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"

#include "core/log/log_status.h"
#include "core/system/mutex.h"

namespace rumcask {

// Thread-safe, but that RaiseMark and what follows it are guarded by the write lock.
class GroupCommit {
 public:
  // `sync` makes all that has been written durable and calls RaiseDurable, or returns an error. It
  // is called by one thread at a time and without locks. `status` must outlive this.
  GroupCommit(LogStatus* status, std::function<absl::Status()> sync)
      : status_(status), sync_(std::move(sync)) {}

  // Returns when all records with numbers <= `sequence` are durable, or when that has failed. The
  // caller holds none of the log's locks.
  absl::Status WaitDurable(uint64_t sequence);

  // All records with numbers <= this are durable.
  uint64_t durable() const { return durable_.load(std::memory_order_acquire); }
  // Never lowers it.
  void RaiseDurable(uint64_t sequence);

  // ---- sync marks ----

  // Lets the next append vouch for `sequence` with a sync mark. To be called before anyone is told
  // that it is durable.
  void RaiseMark(uint64_t sequence);
  // The number that the next append shall vouch for, 0 if none.
  uint64_t mark() const { return mark_; }
  // A mark for what mark() returned was written.
  void MarkWritten() { mark_ = 0; }

 private:
  struct SyncFigures {
    uint64_t writers = 0;
    std::chrono::nanoseconds duration{0};
  };

  absl::Status Lead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Gather() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  LogStatus* const status_;
  const std::function<absl::Status()> sync_;
  std::atomic<uint64_t> durable_{0};
  uint64_t mark_ = 0;

  Mutex mutex_;
  CondVar sync_done_;
  CondVar gathered_;
  bool syncing_ ABSL_GUARDED_BY(mutex_) = false;
  // The group of writers that the next sync covers, and how many of it wait.
  uint64_t group_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  SyncFigures last_sync_ ABSL_GUARDED_BY(mutex_);
  // How many writers the next leader waits for, and how long at most.
  uint64_t expected_ ABSL_GUARDED_BY(mutex_) = 0;
  std::chrono::nanoseconds longest_wait_ ABSL_GUARDED_BY(mutex_){0};
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_GROUP_COMMIT_H_
