#include "core/log/log_status.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace rumcask {
namespace {

bool IsAboutNames(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsAlreadyExists(status);
}

}  // namespace

absl::Status LogStatus::status() const {
  MutexLock lock(mutex_);
  return status_;
}

void LogStatus::Fail(absl::Status status) {
  {
    MutexLock lock(mutex_);
    if (!status_.ok()) return;
    if (IsAboutNames(status)) status = absl::FailedPreconditionError(status.message());
    status_ = absl::Status(status.code(),
                           absl::StrCat("database is read-only after: ", status.message()));
    pending_events_.push_back(
        [status = std::move(status)](Listener* listener) { listener->OnBackgroundError(status); });
  }
  failed_.store(true, std::memory_order_release);
  MutexLock lock(observer_mutex_);
  if (failure_observer_) failure_observer_();
}

void LogStatus::SetFailureObserver(std::function<void()> observer) {
  MutexLock lock(observer_mutex_);
  failure_observer_ = std::move(observer);
}

absl::Status LogStatus::CheckLinked(const File* file) const {
  const bool directory_gone = !directory_->IsLinked();
  if (!directory_gone && (file == nullptr || file->IsLinked())) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      directory_gone ? directory_->path() : file->name(), ": removed while the database was open"));
}

absl::Status LogStatus::Explained(absl::Status status) {
  if (!IsAboutNames(status)) return status;
  absl::Status linked = CheckLinked(nullptr);
  if (linked.ok()) return absl::FailedPreconditionError(status.message());
  Fail(std::move(linked));
  return this->status();
}

void LogStatus::NoteError(absl::Status status) {
  MutexLock lock(mutex_);
  pending_events_.push_back(
      [status = std::move(status)](Listener* listener) { listener->OnBackgroundError(status); });
}

void LogStatus::NoteSealed(uint64_t segment_id, uint64_t file_bytes) {
  MutexLock lock(mutex_);
  pending_events_.push_back([segment_id, file_bytes](Listener* listener) {
    listener->OnSegmentSealed(segment_id, file_bytes);
  });
}

void LogStatus::TellListener() {
  if (quiet_ > 0) return;
  std::vector<std::function<void(Listener*)>> events;
  {
    MutexLock lock(mutex_);
    events.swap(pending_events_);
  }
  if (listener_ == nullptr) return;
  for (const auto& tell : events) tell(listener_.get());
}

}  // namespace rumcask
