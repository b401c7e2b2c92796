// Seals full segments, in the order of their ids: footer, fdatasync, fsync of the directory.
//
// The background thread seals. Writers that are too far ahead help, so that neither descriptors nor
// the time that Close takes grow with the speed of the writers.

#ifndef RUMCASK_CORE_LOG_SEALER_H_
#define RUMCASK_CORE_LOG_SEALER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "absl/status/status.h"

#include "core/format/format.h"
#include "core/log/log_status.h"
#include "core/log/segment.h"
#include "core/log/segment_writer.h"
#include "core/system/file_system.h"
#include "core/system/mutex.h"
#include "core/system/space_reserve.h"

namespace rumcask {

// Thread-safe. The lock under which it seals is acquired before the write lock.
class Sealer {
 public:
  struct Job {
    std::shared_ptr<SegmentWriter> full;
    std::shared_ptr<Segment> successor;
    uint64_t end = 0;
    uint64_t last_sequence = 0;
  };

  // `on_durable` is called when a segment and all before it are durable, under the sealing lock; it
  // ends the writing of the segment. The others must outlive the sealer. On a full disk footers
  // take from the reserve: without one a segment is never compacted.
  Sealer(Directory* directory, LogStatus* status, SpaceReserve* reserve,
         std::function<void(const Job&)> on_durable)
      : directory_(directory),
        status_(status),
        reserve_(reserve),
        on_durable_(std::move(on_durable)) {}

  // Sets which database the segments belong to; to be called before the first Enqueue.
  void Begin(const Uuid& uuid) { uuid_ = uuid; }

  // Adds a segment that is full. May be called under the write lock.
  void Enqueue(Job job);
  // How many segments wait.
  uint64_t waiting() const { return waiting_.load(std::memory_order_acquire); }

  // Seals until none waits. The caller holds no lock. An error ends writing permanently.
  absl::Status SealAll();
  // Seals while more than `bound` segments wait. Callers wait for whoever is sealing and then seal
  // the next one themselves, so that nobody has to wake them, whatever fails.
  void SealDownTo(uint64_t bound);
  // Returns when nobody is sealing.
  void WaitUntilIdle() { MutexLock lock(seal_mutex_); }

  uint64_t sealed() const { return sealed_.load(std::memory_order_relaxed); }

 private:
  // Seals the first segment that waits, if there is one, and returns whether there was in `*more`.
  absl::Status SealNext(bool* more) ABSL_EXCLUSIVE_LOCKS_REQUIRED(seal_mutex_);
  absl::Status Seal(const Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(seal_mutex_);

  Directory* const directory_;
  LogStatus* const status_;
  SpaceReserve* const reserve_;
  const std::function<void(const Job&)> on_durable_;
  Uuid uuid_ = {};
  Mutex seal_mutex_;
  Mutex queue_mutex_ ABSL_ACQUIRED_AFTER(seal_mutex_);
  std::deque<Job> queue_ ABSL_GUARDED_BY(queue_mutex_);
  std::atomic<uint64_t> waiting_{0};
  std::atomic<uint64_t> sealed_{0};
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_SEALER_H_
