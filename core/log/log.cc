#include "core/log/log.h"

#include <algorithm>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

constexpr uint64_t kShareOfDescriptors = 4;
constexpr uint64_t kFewestOpenFiles = 16;
constexpr uint64_t kMostOpenFiles = 4096;
constexpr uint64_t kShareOfUnsealed = 4;
constexpr uint64_t kFewestUnsealed = 2;
// A gigabyte of the default size, which a disk takes in a few seconds. Without a bound a writer
// faster than the disk piles them up, and Close, or the next synced write, waits for all.
constexpr uint64_t kMostUnsealed = 16;

absl::Status Closed() { return absl::FailedPreconditionError("database is closed"); }
absl::Status ReadOnly() { return absl::FailedPreconditionError("database is open read-only"); }

}  // namespace

uint64_t Log::DefaultMaxOpenFiles(const ProcessLimits& limits) {
  return std::clamp(limits.descriptors / kShareOfDescriptors, kFewestOpenFiles, kMostOpenFiles);
}

Log::Log(Directory* directory, const Config& config, bool read_only)
    : directory_(directory),
      config_(config),
      read_only_(read_only),
      max_unsealed_(
          std::clamp(config_.max_open_files / kShareOfUnsealed, kFewestUnsealed, kMostUnsealed)),
      descriptors_(
          std::make_shared<DescriptorCache>(directory, config_.max_open_files - max_unsealed_)),
      status_(directory, config_.listener),
      reserve_(directory),
      factory_(directory, &table_, descriptors_,
               {config_.segment_bytes, config_.append_mapped, config_.read_mapped,
                config_.process_mappings, config_.mapping_budget}),
      live_set_(directory, &reserve_),
      group_commit_(&status_, [this] { return SyncAll(); }),
      sealer_(directory, &status_, &reserve_, [this](const Sealer::Job& job) { OnSealed(job); }),
      stream_(&factory_, &table_, config_.segment_bytes) {
  directory_->SetDescriptorSource(
      [descriptors = descriptors_](std::string_view name) { return descriptors->GiveUp(name); });
}

Log::~Log() { StopBackground(); }

absl::Status Log::Open(RecoveredLog found, FileSystem* made_in) {
  factory_.Begin(found.manifest.uuid);
  sealer_.Begin(found.manifest.uuid);
  live_set_.Begin(std::move(found), made_in);
  if (read_only_) live_set_.Freeze();
  reserve_.Begin();
  const RecoveredLog& log = live_set_.recovered();
  // The newest segments get the mappings there are.
  const size_t all = log.segments.size();
  const size_t unmapped = all - factory_.MappingsFor(all);
  for (size_t i = 0; i < all; ++i) {
    // The cleanly closed segment will grow in the mapping it gets here.
    const bool grows = !read_only_ && log.continues_last && &log.segments[i] == log.LastUser();
    absl::StatusOr<std::shared_ptr<Segment>> segment =
        factory_.OpenFound(log.segments[i], /*maps=*/i >= unmapped, grows);
    if (!segment.ok()) return segment.status();
    if (grows) found_last_ = *segment;
    table_.Add(*std::move(segment));
  }
  group_commit_.RaiseDurable(log.durable_sequence);
  MutexLock lock(write_mutex_);
  next_sequence_ = log.next_sequence;
  last_sequence_ = log.last_sequence;
  ChainLink last;
  if (const RecoveredSegment* tail = log.LastUser()) {
    last = {tail->id, tail->end, tail->last_checksum};
  }
  stream_.Begin(last, log.highest_id + 1);
  return absl::OkStatus();
}

// ---- writing ----

absl::Status Log::BeginWriting() {
  MutexLock begin(begin_mutex_);
  {
    MutexLock lock(write_mutex_);
    if (appendable_) return absl::OkStatus();
    if (closed_) return Closed();
    // What a reader found is made durable by the next writer, not by it.
    if (read_only_) return ReadOnly();
  }
  if (failed()) return status();
  // Nothing is begun that could not be brought to an end.
  absl::Status status = descriptors_->Reserve();
  if (!status.ok()) return status_.Explained(std::move(status));
  bool final = false;
  do {
    status = live_set_.CommitRecovery(&final);
  } while (absl::IsResourceExhausted(status) && !final && reserve_.GiveUp());
  if (!status.ok()) {
    if (!final) return status_.Explained(std::move(status));
    status_.Fail(std::move(status));
    return this->status();
  }
  const RecoveredLog& log = live_set_.recovered();
  group_commit_.RaiseDurable(log.durable_sequence);
  std::shared_ptr<SegmentWriter> continued;
  if (log.continues_last) {
    absl::StatusOr<std::shared_ptr<SegmentWriter>> last = ContinueLast();
    if (!last.ok()) return status_.Explained(last.status());
    continued = *std::move(last);
  }
  for (const std::shared_ptr<Segment>& segment : table_.All()) {
    const bool grows = continued != nullptr && segment.get() == continued->segment();
    if (!grows) segment->sealed.store(true, std::memory_order_relaxed);
  }
  if (config_.background_threads > 0) {
    status = StartBackground();
    if (!status.ok()) return status;
  }
  HoldReserve();
  MutexLock lock(write_mutex_);
  if (continued != nullptr) stream_.Continue(std::move(continued));
  appendable_ = true;
  begun_.store(true, std::memory_order_release);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<SegmentWriter>> Log::ContinueLast() {
  const RecoveredSegment& last = *live_set_.recovered().LastUser();
  std::shared_ptr<Segment> segment = found_last_;
  absl::Status status = segment->file()->Truncate(last.end);
  if (!status.ok()) return status;
  const MappedRegion* const region = segment->region();
  const bool mapped = region != nullptr;
  const uint64_t capacity = mapped ? region->size() : std::max(config_.segment_bytes, last.end);
  return std::make_shared<SegmentWriter>(std::move(segment), mapped, last.end, last.end, capacity,
                                         last.last_checksum);
}

absl::Status Log::NotAppendable() const {
  if (closed_) return Closed();
  return read_only_ ? ReadOnly() : absl::UnavailableError("the log is still as it was found");
}

absl::Status Log::Append(absl::Span<NewRecord> records, uint64_t bytes) {
  return AppendTo(Part::kUsual, records, bytes);
}

absl::Status Log::AppendFence(NewRecord* fence, bool ends_segment) {
  fence->header.kind = RecordKind::kFence;
  fence->inner = InnerChecksum({}, {});
  return AppendTo(ends_segment ? Part::kNone : Part::kAll, {fence, 1},
                  fence->header.record_bytes());
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline absl::Status Log::AppendTo(Part part,
                                                               absl::Span<NewRecord> records,
                                                               uint64_t bytes) {
  if (!appendable_) return NotAppendable();
  if (failed()) return status();
  for (size_t i = 0; i < records.size(); ++i) records[i].header.sequence = next_sequence_ + i;
  absl::Status status =
      group_commit_.mark() == 0 ? Place(part, records, bytes) : AppendMarked(part, records, bytes);
  if (ABSL_PREDICT_FALSE(!status.ok())) {
    status = PlaceFromReserve(part, records, bytes, std::move(status));
    if (!status.ok()) return status_.Explained(std::move(status));
  }
  next_sequence_ += records.size();
  last_sequence_ = next_sequence_ - 1;
  if (stream_.WantsHelp()) WakePreparer();
  return absl::OkStatus();
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline absl::Status Log::Place(Part part,
                                                            absl::Span<NewRecord> records,
                                                            uint64_t bytes) {
  if (part == Part::kNone || !stream_.HasRoom(bytes, part == Part::kUsual)) {
    return Roll(records, bytes);
  }
  bool broken = false;
  absl::Status status = stream_.active()->Append(records, bytes, &broken);
  if (broken) status_.Fail(status);
  return status;
}

ABSL_ATTRIBUTE_NOINLINE absl::Status Log::PlaceFromReserve(Part part, absl::Span<NewRecord> records,
                                                           uint64_t bytes, absl::Status failure) {
  if (!absl::IsResourceExhausted(failure)) return failure;
  const bool adds = std::any_of(records.begin(), records.end(),
                                [](const NewRecord& record) { return record.header.holds_key(); });
  if (adds) {
    reserve_.NoteFull();
    return failure;
  }
  while (absl::IsResourceExhausted(failure) && !failed() && reserve_.GiveUp()) {
    failure = group_commit_.mark() == 0 ? Place(part, records, bytes)
                                        : AppendMarked(part, records, bytes);
  }
  return failure;
}

// Small databases hold little or nothing: what they would have to copy is small, too.
void Log::HoldReserve() {
  constexpr uint64_t kLeast = uint64_t{1} << 20;
  constexpr uint64_t kMost = uint64_t{64} << 20;
  const uint64_t disk = directory_->disk_space().all;
  const uint64_t full = std::min(kMost, disk / 16) + 2 * config_.index_buffer_bytes;
  const uint64_t segments = table_.size();
  const uint64_t sealed = segments == 0 ? 0 : (segments - 1) * config_.segment_bytes;
  const uint64_t held = std::min(full, sealed / 4);
  reserve_.Hold(held < kLeast ? 0 : held);
}

// The mark goes in one step with the records, never alone: a mark that is lost proves nothing, and
// one write stays one write.
ABSL_ATTRIBUTE_NOINLINE absl::Status Log::AppendMarked(Part part, absl::Span<NewRecord> records,
                                                       uint64_t bytes) {
  std::vector<NewRecord> marked(1);
  marked[0].header.kind = RecordKind::kSyncMark;
  marked[0].header.sequence = group_commit_.mark();
  marked[0].inner = InnerChecksum({}, {});
  marked.insert(marked.end(), records.begin(), records.end());
  absl::Status status = Place(part, absl::MakeSpan(marked), bytes + kRecordHeaderBytes);
  if (!status.ok()) return status;
  for (size_t i = 0; i < records.size(); ++i) records[i].location = marked[i + 1].location;
  group_commit_.MarkWritten();
  return absl::OkStatus();
}

absl::Status Log::Roll(absl::Span<NewRecord> records, uint64_t bytes) {
  SegmentHeader header;
  header.uuid = uuid();
  header.base_sequence = next_sequence_;
  header.durable_sequence = group_commit_.durable();
  std::shared_ptr<SegmentWriter> full;
  bool broken = false;
  absl::Status status = stream_.Roll(header, records, bytes, &full, &broken);
  if (broken) status_.Fail(status);
  if (!status.ok() || full == nullptr) return status;
  const uint64_t end = full->end();
  sealer_.Enqueue({std::move(full), stream_.active()->shared_segment(), end, last_sequence_});
  if (config_.background_threads > 0) syncer_.Wake();
  WakePreparer();
  return absl::OkStatus();
}

// ---- durability ----

void Log::HelpSealing() {
  if (config_.background_threads > 0) {
    sealer_.SealDownTo(max_unsealed_);
  } else {
    // The write itself has succeeded; what fails here is told by status() and the next write.
    (void)sealer_.SealAll();
  }
}

void Log::OnSealed(const Sealer::Job& job) {
  // Destroyed without the lock: unmapping a segment may take milliseconds.
  Segment::Writing writing;
  job.full->segment()->sealed_at.store(job.last_sequence, std::memory_order_relaxed);
  HoldReserve();
  MutexLock lock(write_mutex_);
  stream_.EntryIsDurable(job.successor.get());
  group_commit_.RaiseMark(job.last_sequence);
  group_commit_.RaiseDurable(job.last_sequence);
  // Readers have their own ways to it.
  if (!SeededBug("descriptors-kept")) writing = job.full->segment()->EndWriting();
}

absl::Status Log::SyncAll() {
  absl::Status status;
  if (!is_begun()) {
    // What was found at opening may be in the page cache only.
    status = BeginWriting();
    if (!status.ok()) return status;
  }
  std::shared_ptr<Segment> segment;
  std::shared_ptr<File> file;  // the segment's, which may be sealed meanwhile
  uint64_t sequence = 0;
  bool entry_durable = false;
  {
    MutexLock lock(write_mutex_);
    if (closed_) return Closed();
    if (failed()) return this->status();
    sequence = last_sequence_;
    if (stream_.active() != nullptr) {
      segment = stream_.active()->shared_segment();
      file = segment->shared_file();
    }
    entry_durable = stream_.entry_durable();
  }
  if (!SeededBug("ack-before-seal")) status = sealer_.SealAll();
  if (!status.ok()) return status;
  if (segment != nullptr) {
    status = file->Sync();
    if (SeededBug("entry-not-synced")) entry_durable = true;
    if (status.ok() && !entry_durable) status = directory_->Sync();
  }
  if (status.ok()) status = status_.CheckLinked(file.get());
  if (!status.ok()) {
    if (SeededBug("failed-sync-retried")) return status;
    status_.Fail(status);
    return this->status();
  }
  if (segment != nullptr) {
    sync_count_.fetch_add(1, std::memory_order_relaxed);
    MutexLock lock(write_mutex_);
    stream_.EntryIsDurable(segment.get());
    if (SeededBug("group-too-large")) sequence = last_sequence_;
    group_commit_.RaiseMark(sequence);
  }
  group_commit_.RaiseDurable(sequence);
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
    found_only = !closed_ && !read_only_ && !is_begun() && !SeededBug("found-not-synced");
    newest = last_sequence_;
  }
  absl::Status status;
  if (found_only) status = WaitDurable(newest);
  {
    // Nobody commits the recovery meanwhile, nor afterwards.
    MutexLock begin(begin_mutex_);
    MutexLock lock(write_mutex_);
    if (closed_) return absl::OkStatus();
    // Whatever failed: the database's lock goes too, so no writer that waits may begin now.
    closed_ = true;
    appendable_ = false;
    if (!is_begun()) return status;  // nothing was changed
  }
  StopBackground();
  if (status.ok()) status = this->status();
  if (status.ok()) status = sealer_.SealAll();
  if (status.ok()) status = CloseFiles();
  // A writer may be sealing still if another call has failed. The files are this process's no
  // longer when this has returned.
  sealer_.WaitUntilIdle();
  TellListener();
  return status;
}

// After `closed_` was set nothing is appended, so that the write lock is not needed for what takes
// time.
absl::Status Log::CloseFiles() {
  std::shared_ptr<Segment> active;
  uint64_t end = 0;
  uint64_t highest_id = 0;
  uint64_t last_sequence = 0;
  uint64_t next_sequence = 0;
  {
    MutexLock lock(write_mutex_);
    stream_.DiscardPrepared();
    if (stream_.active() != nullptr) {
      active = stream_.active()->shared_segment();
      end = stream_.active()->end();
    }
    highest_id = stream_.next_id() - 1;
    last_sequence = last_sequence_;
    next_sequence = next_sequence_;
  }
  File* const file = active == nullptr ? nullptr : active->file();
  absl::Status status;
  if (file != nullptr) {
    status = file->Truncate(end);
    if (status.ok()) status = file->Sync();
    active->allocated_bytes.store(end, std::memory_order_relaxed);
  }
  // The segments' entries, before MANIFEST lists them.
  if (status.ok()) status = directory_->Sync();
  if (status.ok()) status = status_.CheckLinked(file);
  if (!status.ok()) {
    status_.Fail(status);
    return status;
  }
  // From the first of the user's segments without footer on, all are listed as not sealed: recovery
  // follows the links of those after the last that is sealed.
  std::vector<LiveSet::LiveSegment> live;
  bool user_sealed = true;
  for (const std::shared_ptr<Segment>& segment : Segments()) {
    bool sealed = segment->sealed.load(std::memory_order_relaxed);
    if (segment->stream() == Stream::kUser) sealed = user_sealed = user_sealed && sealed;
    live.push_back({segment->id(), segment->stream(), sealed, segment->end()});
  }
  status = live_set_.Close(live, highest_id, last_sequence, next_sequence);
  if (!status.ok()) return status_.Explained(std::move(status));
  group_commit_.RaiseDurable(last_sequence);
  Segment::Writing writing;
  MutexLock lock(write_mutex_);
  if (active != nullptr) writing = active->EndWriting();
  return status;
}

void Log::FreezeManifest() {
  live_set_.Freeze();
  descriptors_->CloseIdle();
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
  return syncer_.Start(config_.sync_interval, [this](bool timed_out) {
    if (config_.background_threads == 1) PrepareAhead();
    (void)sealer_.SealAll();
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
  syncer_.Stop();
}

void Log::WakePreparer() {
  if (config_.background_threads == 0) return;
  (config_.background_threads > 1 ? preparer_ : syncer_).Wake();
}

void Log::PrepareAhead() {
  UserStream::Help help;
  {
    MutexLock lock(write_mutex_);
    if (closed_) return;
    help = stream_.BeginHelp();
  }
  if (help.active == nullptr) return;
  (void)help.active->ExtendAhead();
  std::shared_ptr<SegmentWriter> prepared;
  if (help.id != 0) {
    absl::Status failure;
    prepared = UserStream::MakePrepared(factory_, help.id, config_.segment_bytes, &failure);
    // Writers would meet it later; if the directory is gone they had better hear of it now.
    if (!failure.ok()) (void)status_.Explained(std::move(failure));
  }
  MutexLock lock(write_mutex_);
  stream_.EndHelp(help, std::move(prepared));
}

}  // namespace rumcask
