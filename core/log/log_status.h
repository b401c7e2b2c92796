// Whether the log can still be written to, and what the listener has yet to be told.

#ifndef RUMCASK_CORE_LOG_LOG_STATUS_H_
#define RUMCASK_CORE_LOG_LOG_STATUS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"

#include "core/listener.h"
#include "core/system/file_system.h"
#include "core/system/mutex.h"

namespace rumcask {

// Thread-safe. Its locks are acquired last, so all of it but TellListener may be called under any
// lock of the log's.
class LogStatus {
 public:
  // `directory` must outlive it. `listener` may be null.
  LogStatus(Directory* directory, std::shared_ptr<Listener> listener)
      : directory_(directory), listener_(std::move(listener)) {}

  // OK, or why writing has ended.
  absl::Status status() const;
  bool failed() const { return failed_.load(std::memory_order_acquire); }

  // Ends writing permanently; the first reason is kept. Calls the failure observer.
  void Fail(absl::Status status);
  // Calls `observer` when writing ends permanently, on the thread that found out, which may hold
  // any lock of the log's: the observer may acquire none of them. Null removes the observer and
  // waits until a call that is under way has returned.
  void SetFailureObserver(std::function<void()> observer) ABSL_LOCKS_EXCLUDED(observer_mutex_);

  // FailedPrecondition if the database's directory, or `file` if it is not null, was removed.
  absl::Status CheckLinked(const File* file) const;
  // What an error of the system means to writers. That a file is missing, or exists already, says
  // nothing about a key, so it becomes FailedPrecondition. If the directory itself was removed,
  // writing ends.
  absl::Status Explained(absl::Status status);

  // Queue events for the listener.
  void NoteError(absl::Status status);
  void NoteSealed(uint64_t segment_id, uint64_t file_bytes);
  // Delivers the queued events. To be called without any lock, at the end of whatever may have
  // failed or sealed a segment.
  void TellListener();
  // While one exists, TellListener does nothing on this thread, which holds a lock that the
  // listener may need. Whoever makes it calls TellListener once the lock is free.
  class Quiet {
   public:
    Quiet() { ++quiet_; }
    ~Quiet() { --quiet_; }
    Quiet(const Quiet&) = delete;
    Quiet& operator=(const Quiet&) = delete;
  };

 private:
  static inline thread_local int quiet_ = 0;

  Directory* const directory_;
  const std::shared_ptr<Listener> listener_;
  mutable Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::function<void(Listener*)>> pending_events_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> failed_{false};
  Mutex observer_mutex_;
  std::function<void()> failure_observer_ ABSL_GUARDED_BY(observer_mutex_);
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_LOG_STATUS_H_
