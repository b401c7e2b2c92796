#include "core/log/live_set.h"

#include <algorithm>
#include <utility>

#include "core/system/seeded_bug.h"

namespace rumcask {

void LiveSet::Begin(RecoveredLog found, FileSystem* made_in) {
  MutexLock lock(mutex_);
  manifest_ = found.manifest;
  made_in_ = made_in;
  recovered_ = std::move(found);
}

absl::Status LiveSet::Write(Manifest next, bool* sync_failed) {
  // The directory's own entry: without it a power cut takes the whole database. Before MANIFEST, so
  // that whoever finds one need not ask how far its creation came.
  if (made_in_ != nullptr && !SeededBug("parent-not-synced")) {
    absl::Status status = made_in_->SyncParent(directory_->path());
    if (!status.ok()) return status;
  }
  bool unknown = false;
  absl::Status status = WriteManifest(directory_, next, &unknown);
  while (absl::IsResourceExhausted(status) && !unknown && reserve_ != nullptr &&
         reserve_->GiveUp()) {
    status = WriteManifest(directory_, next, &unknown);
  }
  if (sync_failed != nullptr && unknown) *sync_failed = true;
  if (!status.ok()) return status;
  made_in_ = nullptr;
  manifest_ = std::move(next);
  return absl::OkStatus();
}

absl::Status LiveSet::Change(absl::FunctionRef<absl::Status(Manifest*)> change) {
  MutexLock lock(mutex_);
  if (frozen_) return absl::OkStatus();
  Manifest next = manifest_;
  absl::Status status = change(&next);
  return status.ok() ? Write(std::move(next), nullptr) : status;
}

absl::Status LiveSet::CommitRecovery(bool* final) {
  MutexLock lock(mutex_);
  Manifest next = manifest_;
  next.live.clear();
  next.highest_id = recovered_.highest_id;
  next.clean = false;
  next.next_sequence = recovered_.next_sequence;
  absl::Status status = SettleSegments(directory_, &recovered_, &next, final);
  if (!status.ok()) return status;
  next.durable_sequence =
      SeededBug("evidence-erased") ? 0 : std::max(next.durable_sequence, recovered_.last_sequence);
  const uint64_t durable = next.durable_sequence;
  // Entries of files that were created before the crash.
  status = directory_->Sync();
  if (!status.ok()) {
    *final = true;
    return status;
  }
  status = Write(std::move(next), final);
  if (status.ok()) status = RemoveDoomed(directory_, &recovered_, final);
  if (status.ok()) recovered_.durable_sequence = durable;
  return status;
}

absl::Status LiveSet::Close(const std::vector<LiveSegment>& live, uint64_t highest_id,
                            uint64_t last_sequence, uint64_t next_sequence) {
  MutexLock lock(mutex_);
  Manifest next = manifest_;
  next.live.clear();
  for (const LiveSegment& segment : live) {
    next.Append(segment.id, segment.stream, segment.sealed, segment.end);
  }
  next.highest_id = highest_id;
  next.durable_sequence = last_sequence;
  next.next_sequence = next_sequence;
  next.clean = true;
  return Write(std::move(next), nullptr);
}

absl::Status LiveSet::TurnOver(const std::vector<LiveSegment>& live, uint64_t highest_id,
                               uint64_t durable, uint64_t horizon, bool* final) {
  MutexLock lock(mutex_);
  if (frozen_) return absl::FailedPreconditionError("database is closed");
  Manifest next = manifest_;
  next.live.clear();
  for (const LiveSegment& segment : live) {
    next.Append(segment.id, segment.stream, segment.sealed, segment.end);
  }
  next.highest_id = std::max(next.highest_id, highest_id);
  next.durable_sequence = std::max(next.durable_sequence, durable);
  next.next_sequence = std::max(next.next_sequence, next.durable_sequence + 1);
  if (!SeededBug("horizon-not-raised")) next.gc_horizon = std::max(next.gc_horizon, horizon);
  return Write(std::move(next), final);
}

absl::Status LiveSet::WriteCopy(Directory* directory, Manifest original,
                                const std::vector<LiveSegment>& live, uint64_t highest_id,
                                uint64_t last_sequence, uint64_t next_sequence) {
  original.live.clear();
  for (const LiveSegment& segment : live) {
    original.Append(segment.id, segment.stream, segment.sealed, segment.end);
  }
  original.highest_id = highest_id;
  original.durable_sequence = last_sequence;
  original.next_sequence = std::max(next_sequence, last_sequence + 1);
  original.clean = true;
  // The two histories part here.
  absl::Status status = NewIncarnation(&original);
  return status.ok() ? WriteManifest(directory, original) : status;
}

void LiveSet::Freeze() {
  MutexLock lock(mutex_);
  frozen_ = true;
}

}  // namespace rumcask
