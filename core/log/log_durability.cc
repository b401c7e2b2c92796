// The parts of Log that wait for the device: sealing, syncing, closing, and the thread that
// does them in the background.

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/listener.h"
#include "core/log/log.h"
#include "core/log/segment_footer.h"
#include "core/system/seeded_bug.h"

namespace rumcask {

// ---- sealing ----

absl::Status Log::SealPending() {
  absl::Status status;
  bool more = true;
  while (more && status.ok()) {
    {
      MutexLock seal_lock(seal_mutex_);
      status = SealNext(&more);
    }
    TellListener();
  }
  return status;
}

// The write itself has succeeded; what fails here is told by status() and the next write.
void Log::HelpSealing() {
  if (config_.background_threads == 0) {
    (void)SealPending();
    return;
  }
  // Writers wait for whoever is sealing, and then seal the next one themselves: so there is nobody
  // who would have to wake them, whatever fails.
  bool more = true;
  while (more && unsealed_.load(std::memory_order_acquire) > max_unsealed_) {
    MutexLock seal_lock(seal_mutex_);
    if (unsealed_.load(std::memory_order_acquire) <= max_unsealed_) return;
    // The sealer, which was woken for this segment, tells the listener.
    if (!SealNext(&more).ok()) return;
  }
}

absl::Status Log::SealNext(bool* more) {
  SealJob job;
  {
    MutexLock lock(write_mutex_);
    *more = !seals_.empty();
    if (!*more) return absl::OkStatus();
    job = seals_.front();
  }
  if (failed_.load(std::memory_order_acquire)) return status();
  absl::Status status = Seal(job);
  if (!status.ok()) {
    Fail(status);
    return this->status();
  }
  Segment::Writing writing;
  MutexLock lock(write_mutex_);
  seals_.pop_front();
  unsealed_.store(seals_.size(), std::memory_order_release);
  // Readers have their own ways to it.
  if (!SeededBug("descriptors-kept")) writing = job.writer->segment()->EndWriting();
  return absl::OkStatus();
}

absl::Status Log::Seal(const SealJob& job) {
  job.writer->StopExtending();
  Segment* const segment = job.writer->segment();
  MappedRegion* const region = segment->mapping();
  if (region != nullptr) {
    absl::Status status = region->ProtectReadOnly();
    if (!status.ok()) return status;
  }
  absl::StatusOr<std::optional<Trailer>> trailer =
      SealSegmentFile(segment->file(), uuid_, segment->id(), job.end);
  if (!trailer.ok()) return trailer.status();
  // Without room for the footer the segment is durable all the same; a later opening adds it.
  const bool footless = !trailer->has_value();
  if (!SeededBug("entry-not-synced")) {
    absl::Status status = directory_->Sync();
    if (!status.ok()) return status;
  }
  absl::Status linked = CheckLinked(segment->file());
  if (!linked.ok()) return linked;
  {
    MutexLock lock(write_mutex_);
    if (active_ != nullptr && active_->segment() == job.successor.get()) entry_durable_ = true;
    RaiseMark(job.last_sequence);
  }
  RaiseDurable(job.last_sequence);
  if (segment->reads_mapped()) region->Populate(0, job.end);
  const uint64_t bytes =
      footless ? job.end : job.end + (((*trailer)->table_bytes + 7) & ~uint64_t{7}) + kTrailerBytes;
  segment->allocated_bytes.store(bytes, std::memory_order_relaxed);
  segment->sealed.store(!footless, std::memory_order_release);
  seal_count_.fetch_add(1, std::memory_order_relaxed);
  MutexLock lock(status_mutex_);
  news_.push_back(
      [id = segment->id(), bytes](Listener* listener) { listener->OnSegmentSealed(id, bytes); });
  return absl::OkStatus();
}

// ---- syncing ----

void Log::RaiseDurable(uint64_t sequence) {
  uint64_t now = durable_.load(std::memory_order_relaxed);
  while (now < sequence &&
         !durable_.compare_exchange_weak(now, sequence, std::memory_order_acq_rel)) {
  }
}

void Log::RaiseMark(uint64_t sequence) {
  // What was durable before has its mark, or waits for it.
  if (sequence <= durable_.load(std::memory_order_relaxed)) return;
  if (sequence > mark_.load(std::memory_order_relaxed)) {
    mark_.store(sequence, std::memory_order_relaxed);
  }
}

absl::Status Log::WaitDurable(uint64_t sequence) {
  MutexLock lock(sync_mutex_);
  if (durable_.load(std::memory_order_acquire) >= sequence) return absl::OkStatus();
  const uint64_t group = group_;
  ++waiting_;
  if (waiting_ == expected_) gathered_.NotifyOne();
  absl::Status status;
  while (status.ok() && durable_.load(std::memory_order_acquire) < sequence) {
    if (failed_.load(std::memory_order_acquire)) {
      status = this->status();
    } else if (syncing_) {
      sync_done_.Wait(sync_mutex_);
    } else {
      status = Lead();
    }
  }
  // Not if a leader has counted it.
  if (group == group_) --waiting_;
  return status;
}

// Syncs for everyone who has written by the time it looks.
absl::Status Log::Lead() {
  syncing_ = true;
  Gather();
  const uint64_t covered = waiting_;
  waiting_ = 0;
  ++group_;
  sync_mutex_.Unlock();
  const auto begin = std::chrono::steady_clock::now();
  absl::Status status = SyncOnce();
  const auto end = std::chrono::steady_clock::now();
  TellListener();
  sync_mutex_.Lock();
  syncing_ = false;
  // Those whom it covers and those who have come meanwhile: the writers there are. Of two syncs in
  // a row, so that one chance meeting, or one slow sync, makes no one wait.
  const SyncFigures figures = {covered + waiting_, end - begin};
  expected_ = std::min(figures.writers, last_sync_.writers);
  patience_ = std::min(figures.duration, last_sync_.duration) / 2;
  last_sync_ = figures;
  sync_done_.NotifyAll();
  return status;
}

// Waits until as many writers have come as there are, for half a sync at most. Otherwise they fall
// into two halves, of which one is told and writes again while the other is synced.
void Log::Gather() {
  if (waiting_ >= expected_) return;
  const auto deadline = std::chrono::steady_clock::now() + patience_;
  while (waiting_ < expected_) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) return;
    gathered_.WaitFor(sync_mutex_, left);
  }
}

absl::Status Log::SyncOnce() {
  std::shared_ptr<Segment> segment;
  std::shared_ptr<File> file;  // the segment's, which may be sealed meanwhile
  uint64_t sequence = 0;
  bool entry_durable = false;
  {
    MutexLock lock(write_mutex_);
    if (closed_) return absl::FailedPreconditionError("database is closed");
    // What a reader found is made durable by the next writer, not by it.
    if (read_only_) return absl::FailedPreconditionError("database is open read-only");
    if (failed_.load(std::memory_order_relaxed)) return this->status();
    if (!writable_) {
      // What was found at opening may be in the page cache only.
      absl::Status status = BecomeWritable();
      if (!status.ok()) return Explained(std::move(status));
    }
    sequence = last_sequence_;
    if (active_ != nullptr) {
      segment = active_->shared_segment();
      file = segment->shared_file();
    }
    entry_durable = entry_durable_;
  }
  absl::Status status;
  if (!SeededBug("ack-before-seal")) status = SealPending();
  if (!status.ok()) return status;
  if (segment != nullptr) {
    status = file->Sync();
    if (SeededBug("entry-not-synced")) entry_durable = true;
    if (status.ok() && !entry_durable) status = directory_->Sync();
  }
  if (status.ok()) status = CheckLinked(file.get());
  if (!status.ok()) {
    if (SeededBug("failed-sync-retried")) return status;
    Fail(status);
    return this->status();
  }
  if (segment != nullptr) {
    sync_count_.fetch_add(1, std::memory_order_relaxed);
    MutexLock lock(write_mutex_);
    if (active_ != nullptr && active_->segment() == segment.get()) entry_durable_ = true;
    if (SeededBug("group-too-large")) sequence = last_sequence_;
    RaiseMark(sequence);
  }
  RaiseDurable(sequence);
  return absl::OkStatus();
}

// ---- closing ----

absl::Status Log::Close() {
  // What opening found after an unclean end may be in the page cache only, until the first write or
  // sync commits the recovery.
  bool found_only = false;
  uint64_t newest = 0;
  {
    MutexLock lock(write_mutex_);
    found_only = !closed_ && !read_only_ && !writable_ && !SeededBug("found-not-synced");
    newest = last_sequence_;
  }
  absl::Status status;
  if (found_only) status = WaitDurable(newest);
  {
    MutexLock lock(write_mutex_);
    if (closed_) return absl::OkStatus();
    // Whatever failed: the database's lock goes too, so no writer that waits may begin now.
    closed_ = true;
    if (read_only_ || !writable_) return status;  // nothing was changed
  }
  StopBackground();
  if (status.ok()) status = this->status();
  if (status.ok()) status = SealPending();
  if (status.ok()) status = CloseFiles();
  {
    // A writer may be sealing still if another call has failed. The files are this process's no
    // longer when this has returned.
    MutexLock sealing(seal_mutex_);
  }
  TellListener();
  return status;
}

absl::Status Log::CloseFiles() {
  MutexLock lock(write_mutex_);
  DiscardPrepared();
  absl::Status status;
  if (active_ != nullptr) {
    File* const file = active_->segment()->file();
    status = file->Truncate(active_->end());
    if (status.ok()) status = file->Sync();
    active_->segment()->allocated_bytes.store(active_->end(), std::memory_order_relaxed);
  }
  // The segments' entries, before MANIFEST lists them.
  if (status.ok()) status = directory_->Sync();
  if (status.ok()) status = CheckLinked(active_ == nullptr ? nullptr : active_->segment()->file());
  if (!status.ok()) {
    Fail(status);
    return status;
  }
  Manifest manifest = log_.manifest;
  manifest.live.clear();
  // From the first segment without footer on, all are listed as not sealed: recovery follows the
  // links of those after the last that is sealed.
  bool sealed = true;
  for (const std::shared_ptr<Segment>& segment : table_.All()) {
    sealed = sealed && segment->sealed.load(std::memory_order_relaxed);
    manifest.Append(segment->id(), segment->stream(), sealed, segment->end());
  }
  manifest.highest_id = next_id_ - 1;
  manifest.durable_sequence = last_sequence_;
  manifest.next_sequence = next_sequence_;
  manifest.clean = true;
  status = WriteManifest(directory_, manifest);
  if (!status.ok()) return Explained(std::move(status));
  log_.manifest = std::move(manifest);
  RaiseDurable(last_sequence_);
  if (active_ != nullptr) (void)active_->segment()->EndWriting();
  return status;
}

// ---- the background ----

absl::Status Log::StartBackground() {
  if (config_.background_threads > 1) {
    absl::Status status = preparer_.Start(std::chrono::milliseconds(0), [this](bool) {
      PrepareAhead();
      TellListener();
    });
    if (!status.ok()) return status;
  }
  return sealer_.Start(config_.sync_interval, [this](bool timed_out) {
    if (config_.background_threads == 1) PrepareAhead();
    (void)SealPending();
    if (!timed_out) return;
    uint64_t newest;
    {
      MutexLock lock(write_mutex_);
      newest = last_sequence_;
    }
    (void)WaitDurable(newest);
  });
}

void Log::StopBackground() {
  preparer_.Stop();
  sealer_.Stop();
}

void Log::WakePreparer() {
  if (config_.background_threads == 0) return;
  (config_.background_threads > 1 ? preparer_ : sealer_).Wake();
}

void Log::PrepareAhead() {
  std::shared_ptr<SegmentWriter> active;
  uint64_t id = 0;
  {
    MutexLock lock(write_mutex_);
    if (active_ == nullptr || closed_) return;
    active = active_;
    // The next segment is made ready when this one is half full.
    if (prepared_ == nullptr && !preparing_ && active_->end() >= active_->capacity() / 2) {
      preparing_ = true;
      id = next_id_++;
    }
  }
  (void)active->ExtendAhead();
  std::shared_ptr<SegmentWriter> prepared;
  if (id != 0) {
    absl::StatusOr<std::shared_ptr<SegmentWriter>> made = Prepare(id, config_.segment_bytes);
    if (made.ok() && (*made)->ExtendAhead().ok()) {
      prepared = *std::move(made);
    } else if (made.ok()) {
      Discard(**made);
    } else {
      // Writers would meet it later; if the directory is gone they had better hear of it now.
      (void)Explained(made.status());
    }
  }
  MutexLock lock(write_mutex_);
  if (id != 0) preparing_ = false;
  if (prepared != nullptr) {
    // If a roll could not wait, its segment has a higher id: ids in the chain only grow.
    if (prepared_ == nullptr && active_ != nullptr &&
        active_->segment()->id() < prepared->segment()->id()) {
      prepared_ = std::move(prepared);
    } else {
      Discard(*prepared);
    }
  }
  if (active_ == active) {
    help_at_ = std::min(active_->extend_at(),
                        prepared_ == nullptr && active_->end() < active_->capacity() / 2
                            ? active_->capacity() / 2
                            : UINT64_MAX);
  } else {
    help_at_ = 0;
  }
}

}  // namespace rumcask
