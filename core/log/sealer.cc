#include "core/log/sealer.h"

#include <optional>
#include <utility>

#include "absl/status/statusor.h"

#include "core/segment/segment_footer.h"
#include "core/system/seeded_bug.h"

namespace rumcask {

void Sealer::Enqueue(Job job) {
  MutexLock lock(queue_mutex_);
  queue_.push_back(std::move(job));
  waiting_.store(queue_.size(), std::memory_order_release);
}

absl::Status Sealer::SealAll() {
  absl::Status status;
  bool more = true;
  while (more && status.ok()) {
    {
      MutexLock lock(seal_mutex_);
      status = SealNext(&more);
    }
    status_->TellListener();
  }
  return status;
}

void Sealer::SealDownTo(uint64_t bound) {
  bool more = true;
  while (more && waiting() > bound) {
    MutexLock lock(seal_mutex_);
    if (waiting() <= bound) return;
    // What fails is told by status() and to the next write; the background thread, which was woken
    // for this segment too, tells the listener.
    if (!SealNext(&more).ok()) return;
  }
}

absl::Status Sealer::SealNext(bool* more) {
  Job job;
  {
    MutexLock lock(queue_mutex_);
    *more = !queue_.empty();
    if (!*more) return absl::OkStatus();
    job = queue_.front();
  }
  if (status_->failed()) return status_->status();
  absl::Status status = Seal(job);
  if (!status.ok()) {
    status_->Fail(status);
    return status_->status();
  }
  MutexLock lock(queue_mutex_);
  queue_.pop_front();
  waiting_.store(queue_.size(), std::memory_order_release);
  return absl::OkStatus();
}

absl::Status Sealer::Seal(const Job& job) {
  job.full->StopExtending();
  Segment* const segment = job.full->segment();
  MappedRegion* const region = segment->mapping();
  if (region != nullptr) {
    absl::Status status = region->ProtectReadOnly();
    if (!status.ok()) return status;
  }
  absl::StatusOr<std::optional<Trailer>> trailer =
      SealSegmentFile(segment->file(), uuid_, segment->id(), job.end);
  while (trailer.ok() && !trailer->has_value() && reserve_->GiveUp()) {
    trailer = SealSegmentFile(segment->file(), uuid_, segment->id(), job.end);
  }
  if (!trailer.ok()) return trailer.status();
  if (!SeededBug("entry-not-synced")) {
    absl::Status status = directory_->Sync();
    if (!status.ok()) return status;
  }
  absl::Status linked = status_->CheckLinked(segment->file());
  if (!linked.ok()) return linked;
  // Without room for the footer the segment is durable all the same; a later opening adds it.
  const bool has_footer = trailer->has_value();
  const uint64_t bytes = has_footer ? (*trailer)->file_bytes() : job.end;
  segment->allocated_bytes.store(bytes, std::memory_order_relaxed);
  sealed_.fetch_add(1, std::memory_order_relaxed);
  status_->NoteSealed(segment->id(), bytes);
  on_durable_(job);
  // Last, so that whoever sees it also sees that the segment's numbers are durable.
  segment->sealed.store(has_footer, std::memory_order_release);
  // Sealing has emptied the mapping (see there), so that readers would fault on each page of it.
  if (segment->reads_mapped()) region->Populate(0, job.end);
  return absl::OkStatus();
}

}  // namespace rumcask
