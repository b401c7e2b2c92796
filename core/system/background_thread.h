// A thread that sleeps until there is work.

#ifndef RUMCASK_CORE_SYSTEM_BACKGROUND_THREAD_H_
#define RUMCASK_CORE_SYSTEM_BACKGROUND_THREAD_H_

#include "rumcask/require_cxx17.h"

#include <chrono>
#include <functional>
#include <thread>

#include "absl/status/status.h"
#include "rumcask/mutex.h"

namespace rumcask {

// One such thread, which runs from Start to Stop.
class BackgroundThread {
 public:
  BackgroundThread() = default;
  ~BackgroundThread() { Stop(); }
  BackgroundThread(const BackgroundThread&) = delete;
  BackgroundThread& operator=(const BackgroundThread&) = delete;

  // Starts the thread, which calls work(false) after each Wake (once for several that come while it
  // runs) and, if `interval` is not zero, work(true) at least once in every interval, whether or
  // not there were Wakes. Must not run beside Stop. If the system allows no more threads,
  // ResourceExhausted, and nothing was started.
  absl::Status Start(std::chrono::milliseconds interval, std::function<void(bool timed_out)> work);

  // Has no effect before Start and after Stop.
  void Wake();

  // Waits until the call of `work` in progress has ended. Idempotent.
  void Stop();

 private:
  void Loop(std::chrono::milliseconds interval, const std::function<void(bool timed_out)>& work);

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool wanted_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_SYSTEM_BACKGROUND_THREAD_H_
