#include "core/system/background_thread.h"

#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace rumcask {

absl::Status BackgroundThread::Start(std::chrono::milliseconds interval,
                                     std::function<void(bool timed_out)> work) {
  if (thread_.joinable()) return absl::OkStatus();
  try {
    thread_ = std::thread([this, interval, work = std::move(work)] { Loop(interval, work); });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot start a background thread: ", error.what()));
  }
  return absl::OkStatus();
}

void BackgroundThread::Wake() {
  MutexLock lock(mutex_);
  wanted_ = true;
  changed_.NotifyOne();
}

void BackgroundThread::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyOne();
  }
  if (thread_.joinable()) thread_.join();
}

void BackgroundThread::Loop(std::chrono::milliseconds interval,
                            const std::function<void(bool timed_out)>& work) {
  using Clock = std::chrono::steady_clock;
  // The time at which the next work(true) is due; Wakes in between do not put it off.
  Clock::time_point due = Clock::now() + interval;
  while (true) {
    bool timed_out = false;
    {
      MutexLock lock(mutex_);
      if (!wanted_ && !stopping_) {
        if (interval.count() > 0) {
          const auto left = due - Clock::now();
          if (left.count() > 0) changed_.WaitFor(mutex_, left);
        } else {
          changed_.Wait(mutex_);
        }
      }
      if (stopping_) return;
      if (interval.count() > 0 && Clock::now() >= due) {
        timed_out = true;
        due = Clock::now() + interval;
      }
      wanted_ = false;
    }
    work(timed_out);
  }
}

}  // namespace rumcask
