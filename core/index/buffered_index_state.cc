// The part of BufferedIndex that reports its state, handles its failures and closes it.

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/index/buffered_index.h"

namespace rumcask {
namespace {

// The time between two attempts while the disk is full.
constexpr std::chrono::milliseconds kRetry(100);

}  // namespace

uint64_t BufferedIndex::KeyCount() const {
  SharedLock lock(index_mutex_);
  return index_ == nullptr ? 0 : index_->KeyCount();
}

uint64_t BufferedIndex::MemoryBytes() const {
  uint64_t bytes = past_.Usage().undo_bytes + empty_.MemoryBytes();
  {
    SharedLock lock(buffers_mutex_);
    bytes += active_->keys.MemoryBytes();
    for (const std::shared_ptr<Memtable>& buffer : frozen_) bytes += buffer->keys.MemoryBytes();
  }
  SharedLock lock(index_mutex_);
  return bytes + (index_ == nullptr ? 0 : index_->MemoryBytes());
}

uint64_t BufferedIndex::IndexFileBytes() const {
  SharedLock lock(index_mutex_);
  return index_ == nullptr ? 0 : index_->FileBytes();
}

bool BufferedIndex::counts_exactly() const {
  {
    SharedLock lock(buffers_mutex_);
    if (active_->keys.size() > 0 || !frozen_.empty()) return false;
  }
  SharedLock lock(index_mutex_);
  return index_ != nullptr && index_->counts_exactly();
}

absl::Status BufferedIndex::status() const {
  MutexLock lock(state_mutex_);
  return status_;
}

void BufferedIndex::SetFailed(const absl::Status& status) const {
  const bool final = !absl::IsResourceExhausted(status);
  absl::Status reason;
  {
    MutexLock lock(state_mutex_);
    if (failed_) return;
    failed_ = final;
    status_ = absl::Status(
        final ? absl::StatusCode::kFailedPrecondition : absl::StatusCode::kResourceExhausted,
        absl::StrCat(final ? "the index takes no more writes and will be built anew: "
                           : "the index takes no more for now: ",
                     status.message()));
    UpdateThrottle();
    reason = status_;
  }
  changed_.NotifyAll();
  if (!final) return;
  log_->health().NoteError(std::move(reason));
  abandons_.store(true);
  // The applier abandons the index and tells the listener.
  applier_.Wake();
}

void BufferedIndex::AbandonIfFailed() {
  if (abandons_.load(std::memory_order_relaxed) && abandons_.exchange(false)) abandon_();
}

void BufferedIndex::UpdateThrottle() const {
  throttled_.store(
      failed_ || !status_.ok() || waiting_.load(std::memory_order_acquire) >= kMostFrozen,
      std::memory_order_release);
}

bool BufferedIndex::PauseBeforeRetry() {
  MutexLock lock(state_mutex_);
  if (!closed_ && !failed_ && !log_->failed()) changed_.WaitFor(state_mutex_, kRetry);
  return !closed_ && !failed_ && !log_->failed();
}

absl::Status BufferedIndex::WaitApplied(uint64_t sequence) {
  while (position() < sequence) {
    if (!background_) {
      absl::Status status = ApplyFrozen(Patience::kTells);
      AbandonIfFailed();
      if (!status.ok()) return status;
      continue;
    }
    MutexLock lock(state_mutex_);
    if (!status_.ok()) return status_;
    if (closed_) return Closed();
    if (log_->failed()) return log_->status();
    if (position() < sequence) changed_.WaitFor(state_mutex_, kRetry);
  }
  return absl::OkStatus();
}

void BufferedIndex::NoteProgress() {
  {
    MutexLock lock(state_mutex_);
    if (!failed_) status_ = absl::OkStatus();
    lags_ = 0;
    UpdateThrottle();
  }
  changed_.NotifyAll();
}

absl::Status BufferedIndex::Close() {
  if (!StopApplier()) return absl::OkStatus();
  absl::Status status;
  if (!config_.read_only) {
    {
      MutexLock lock(log_->write_mutex());
      const uint64_t last = log_->last_sequence();
      bool empty;
      {
        SharedLock buffers(buffers_mutex_);
        // A position without a record could not tell the log from that of a copy.
        empty = active_->keys.size() == 0 && (active_->counted.empty() || !last_.exists());
      }
      // What the opening only found may not be durable; it is left for the next opening to replay.
      if (!empty && last <= log_->durable_sequence()) Freeze(last);
    }
    status = ApplyFrozen(Patience::kTells);
  }
  AbandonIfFailed();
  // A writer that began before Close may still be applying.
  MutexLock applying(apply_mutex_);
  ExclusiveLock lock(index_mutex_);
  index_.reset();
  return status;
}

}  // namespace rumcask
