#include "core/log/group_commit.h"

#include <algorithm>

namespace rumcask {

void GroupCommit::RaiseDurable(uint64_t sequence) {
  uint64_t now = durable_.load(std::memory_order_relaxed);
  while (now < sequence &&
         !durable_.compare_exchange_weak(now, sequence, std::memory_order_acq_rel)) {
  }
}

void GroupCommit::RaiseMark(uint64_t sequence) {
  // What was durable before has its mark, or waits for it.
  if (sequence <= durable_.load(std::memory_order_relaxed)) return;
  mark_ = std::max(mark_, sequence);
}

absl::Status GroupCommit::WaitDurable(uint64_t sequence) {
  MutexLock lock(mutex_);
  if (durable() >= sequence) return absl::OkStatus();
  const uint64_t group = group_;
  ++waiting_;
  if (waiting_ == expected_) gathered_.NotifyOne();
  absl::Status status;
  while (status.ok() && durable() < sequence) {
    if (status_->failed()) {
      status = status_->status();
    } else if (syncing_) {
      sync_done_.Wait(mutex_);
    } else {
      status = Lead();
    }
  }
  // Not if a leader has counted it.
  if (group == group_) --waiting_;
  return status;
}

// Syncs for everyone who has written by the time it looks.
absl::Status GroupCommit::Lead() {
  syncing_ = true;
  Gather();
  const uint64_t covered = waiting_;
  waiting_ = 0;
  ++group_;
  mutex_.Unlock();
  const auto begin = std::chrono::steady_clock::now();
  absl::Status status = sync_();
  const auto end = std::chrono::steady_clock::now();
  status_->TellListener();
  mutex_.Lock();
  syncing_ = false;
  // The writers there are: those whom this sync covers and those who have come meanwhile. The lower
  // figure of two syncs in a row counts, so that one chance meeting, or one slow sync, makes no one
  // wait.
  const SyncFigures figures = {covered + waiting_, end - begin};
  expected_ = std::min(figures.writers, last_sync_.writers);
  longest_wait_ = std::min(figures.duration, last_sync_.duration) / 2;
  last_sync_ = figures;
  sync_done_.NotifyAll();
  return status;
}

// Waits until as many writers have come as there are, for half a sync at most. Otherwise they fall
// into two halves, one of which is woken and writes again while the other is synced.
void GroupCommit::Gather() {
  if (waiting_ >= expected_) return;
  const auto deadline = std::chrono::steady_clock::now() + longest_wait_;
  while (waiting_ < expected_) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) return;
    gathered_.WaitFor(mutex_, left);
  }
}

}  // namespace rumcask
