#include "core/log/log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/listener.h"
#include "core/log/segment_footer.h"
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

// Room that only sync marks and fences may use, so that they never have to roll.
constexpr uint64_t kReservedBytes = 4 * kRecordHeaderBytes;

bool IsAboutNames(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsAlreadyExists(status);
}

}  // namespace

uint64_t Log::DefaultMaxOpenFiles(const ProcessLimits& limits) {
  return std::clamp(limits.descriptors / kShareOfDescriptors, kFewestOpenFiles, kMostOpenFiles);
}

Log::Log(Directory* directory, Config config, bool read_only)
    : directory_(directory),
      config_(std::move(config)),
      read_only_(read_only),
      max_unsealed_(
          std::clamp(config_.max_open_files / kShareOfUnsealed, kFewestUnsealed, kMostUnsealed)),
      descriptors_(
          std::make_shared<DescriptorCache>(directory, config_.max_open_files - max_unsealed_)) {
  directory_->SetDescriptorSource(
      [descriptors = descriptors_](std::string_view name) { return descriptors->GiveUp(name); });
}

Log::~Log() { StopBackground(); }

std::unique_ptr<CachedFile> Log::MakeCachedFile(const Segment& segment) {
  return std::make_unique<CachedFile>(descriptors_, segment.name());
}

absl::Status Log::OpenSegment(const RecoveredSegment& recovered, bool maps) {
  const uint32_t slot = table_.next_slot();
  if (slot >= Location::kMaxSlots) {
    return absl::ResourceExhaustedError(
        absl::StrCat(directory_->path(), ": more than ", Location::kMaxSlots, " segments"));
  }
  // The cleanly closed segment will grow in the mapping it gets here.
  const bool grows = !read_only_ && log_.continues_last && recovered.id == log_.segments.back().id;
  const uint64_t seed = SegmentSeed(uuid_, recovered.id);
  auto segment = std::make_shared<Segment>(recovered.id, slot, recovered.stream, seed);
  if (grows || maps) {
    absl::StatusOr<std::unique_ptr<File>> opened =
        directory_->Open(segment->name(), grows ? OpenMode::kReadWrite : OpenMode::kReadOnly);
    if (!opened.ok()) return opened.status();
    AttachFile(segment.get(), std::move(*opened),
               grows ? std::max(config_.segment_bytes, recovered.end) : recovered.file_bytes,
               grows);
  } else {
    segment->ReadThrough(MakeCachedFile(*segment));
  }
  segment->set_end(recovered.end);
  segment->sealed.store(recovered.listed_sealed, std::memory_order_relaxed);
  segment->records.store(recovered.records, std::memory_order_relaxed);
  segment->allocated_bytes.store(recovered.file_bytes, std::memory_order_relaxed);
  table_.Add(std::move(segment));
  return absl::OkStatus();
}

void Log::AttachFile(Segment* segment, std::shared_ptr<File> file, uint64_t bytes, bool grows) {
  // A mapping that is read from stays until the database is closed, since readers don't tell when
  // they look into it. One that is only written to goes when the segment is sealed.
  std::shared_ptr<const void> permit;
  if (config_.read_mapped) {
    permit = config_.mapping_budget->Take(config_.process_mappings);
  }
  const bool writes_mapped = grows && config_.append_mapped;
  std::shared_ptr<MappedRegion> region;
  if (permit != nullptr || writes_mapped) {
    // A mapping that can't be had, for want of address space or because the file system has none,
    // costs speed, not function.
    absl::StatusOr<std::unique_ptr<MappedRegion>> mapped = file->Map(bytes, writes_mapped);
    if (mapped.ok()) region = std::move(*mapped);
  }
  if (grows) segment->BeginWriting({std::move(file), writes_mapped ? region : nullptr});
  if (permit != nullptr && region != nullptr) {
    segment->ReadFrom(std::move(region), std::move(permit));
  } else {
    segment->ReadThrough(MakeCachedFile(*segment));
  }
}

absl::Status Log::Open(RecoveredLog log) {
  log_ = std::move(log);
  uuid_ = log_.manifest.uuid;
  // If there are not mappings for all, the newest get them, and as many are left for those to come.
  const uint64_t all = log_.segments.size();
  const uint64_t left = config_.mapping_budget->left(config_.process_mappings);
  const uint64_t unmapped = all <= left / 2 ? 0 : all - left / 2;
  for (uint64_t i = 0; i < all; ++i) {
    const bool maps = config_.read_mapped && i >= unmapped;
    absl::Status status = OpenSegment(log_.segments[i], maps);
    if (!status.ok()) return status;
  }
  MutexLock lock(write_mutex_);
  next_sequence_ = log_.next_sequence;
  last_sequence_ = log_.last_sequence;
  next_id_ = log_.highest_id + 1;
  durable_.store(log_.durable_sequence, std::memory_order_release);
  if (!log_.segments.empty()) {
    const RecoveredSegment& last = log_.segments.back();
    tail_id_ = last.id;
    tail_end_ = last.end;
    tail_checksum_ = last.last_checksum;
  }
  return absl::OkStatus();
}

// ---- writing ----

absl::Status Log::Append(absl::Span<NewRecord> records, uint64_t bytes) {
  if (closed_) return absl::FailedPreconditionError("database is closed");
  if (failed_.load(std::memory_order_relaxed)) return status();
  if (!writable_) {
    if (read_only_) return absl::FailedPreconditionError("database is open read-only");
    absl::Status status = BecomeWritable();
    if (!status.ok()) return Explained(std::move(status));
  }
  // The mark goes in one step with the records, never alone: a mark that is lost proves nothing,
  // and one write stays one write.
  for (size_t i = 0; i < records.size(); ++i) records[i].header.sequence = next_sequence_ + i;
  const uint64_t mark = mark_.load(std::memory_order_relaxed);
  absl::Status status = mark == 0 ? Place(records, bytes) : AppendMarked(mark, records, bytes);
  if (!status.ok()) return Explained(std::move(status));
  next_sequence_ += records.size();
  last_sequence_ = next_sequence_ - 1;
  if (active_->end() >= help_at_) {
    help_at_ = UINT64_MAX;
    WakePreparer();
  }
  return absl::OkStatus();
}

inline absl::Status Log::Place(absl::Span<NewRecord> records, uint64_t bytes) {
  if (active_ == nullptr || !active_->Fits(bytes + kReservedBytes)) return Roll(records, bytes);
  bool broken = false;
  absl::Status status = active_->Append(records, bytes, &broken);
  if (broken) Fail(status);
  return status;
}

absl::Status Log::AppendMarked(uint64_t mark, absl::Span<NewRecord> records, uint64_t bytes) {
  std::vector<NewRecord> marked(1);
  marked[0].header.kind = RecordKind::kSyncMark;
  marked[0].header.sequence = mark;
  marked[0].inner = InnerChecksum({}, {});
  marked.insert(marked.end(), records.begin(), records.end());
  absl::Status status = Place(absl::MakeSpan(marked), bytes + kRecordHeaderBytes);
  if (!status.ok()) return status;
  for (size_t i = 0; i < records.size(); ++i) records[i].location = marked[i + 1].location;
  // A later group may have asked for a higher one meanwhile.
  uint64_t expected = mark;
  mark_.compare_exchange_strong(expected, 0);
  return absl::OkStatus();
}

absl::Status Log::BecomeWritable() {
  // Nothing is begun that could not be brought to an end.
  absl::Status status = descriptors_->Reserve();
  if (!status.ok()) return status;
  bool final = false;
  status = CommitRecovery(directory_, &log_, &final);
  if (final) Fail(status);
  if (!status.ok()) return final ? this->status() : status;
  RaiseDurable(log_.durable_sequence);
  for (const std::shared_ptr<Segment>& segment : table_.All()) {
    const bool continued = log_.continues_last && segment->id() == log_.segments.back().id;
    if (!continued) segment->sealed.store(true, std::memory_order_relaxed);
  }
  if (log_.continues_last) {
    status = ContinueLast(log_.segments.back());
    if (!status.ok()) return status;
  }
  if (config_.background_threads > 0) {
    status = StartBackground();
    if (!status.ok()) return status;
  }
  writable_ = true;
  return absl::OkStatus();
}

absl::Status Log::ContinueLast(const RecoveredSegment& last) {
  std::shared_ptr<Segment> segment = table_.All().back();
  absl::Status status = segment->file()->Truncate(last.end);
  if (!status.ok()) return status;
  const MappedRegion* const region = segment->region();
  const bool mapped = region != nullptr;
  const uint64_t capacity = mapped ? region->size() : std::max(config_.segment_bytes, last.end);
  active_ = std::make_shared<SegmentWriter>(std::move(segment), mapped, last.end, last.end,
                                            capacity, last.last_checksum);
  entry_durable_ = true;
  help_at_ = 0;
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<SegmentWriter>> Log::Prepare(uint64_t id, uint64_t capacity) {
  // If the last one has been needed, and others are free again.
  (void)descriptors_->Reserve();
  const uint32_t slot = table_.next_slot();
  if (slot >= Location::kMaxSlots) {
    return absl::ResourceExhaustedError(
        absl::StrCat(directory_->path(), ": more than ", Location::kMaxSlots, " segments"));
  }
  absl::StatusOr<std::unique_ptr<File>> opened =
      directory_->Open(SegmentName(id), OpenMode::kCreateNew);
  if (!opened.ok()) return opened.status();
  auto segment = std::make_shared<Segment>(id, slot, Stream::kUser, SegmentSeed(uuid_, id));
  AttachFile(segment.get(), std::move(*opened), capacity, /*grows=*/true);
  const bool mapped = segment->region() != nullptr;
  return std::make_shared<SegmentWriter>(std::move(segment), mapped, kSegmentHeaderBytes, 0,
                                         capacity, 0);
}

void Log::Discard(const SegmentWriter& writer) {
  if (directory_->Unlink(writer.segment()->name()).ok()) return;
  // It has nothing but zeros, and goes at the next opening. Until then it shall take no room.
  (void)writer.segment()->file()->Truncate(0);
}

void Log::DiscardPrepared() {
  if (prepared_ == nullptr) return;
  Discard(*prepared_);
  prepared_.reset();
}

absl::Status Log::Roll(absl::Span<NewRecord> records, uint64_t bytes) {
  const uint64_t needed = kSegmentHeaderBytes + bytes + kReservedBytes;
  std::shared_ptr<SegmentWriter> next = prepared_;
  if (next == nullptr || next->capacity() < needed) {
    absl::StatusOr<std::shared_ptr<SegmentWriter>> made =
        Prepare(next_id_++, std::max(config_.segment_bytes, needed));
    if (!made.ok()) return made.status();
    next = *std::move(made);
  }
  SegmentHeader header;
  header.uuid = uuid_;
  header.id = next->segment()->id();
  header.base_sequence = next_sequence_;
  header.predecessor_id = active_ == nullptr ? tail_id_ : active_->segment()->id();
  header.predecessor_end = active_ == nullptr ? tail_end_ : active_->end();
  header.predecessor_checksum = active_ == nullptr ? tail_checksum_ : active_->last_checksum();
  header.durable_sequence = durable_.load(std::memory_order_acquire);
  const bool too_early = SeededBug("born-before-its-records");
  bool broken = false;
  absl::Status status = too_early ? next->Begin(header, {}, 0, &broken)
                                  : next->Begin(header, records, bytes, &broken);
  if (status.ok()) {
    Activate(std::move(next));
    if (too_early) status = active_->Append(records, bytes, &broken);
    if (too_early && broken) Fail(status);
    return status;
  }
  if (broken) {
    // A part of a segment must not stand where the next one of the log will.
    if (next == prepared_) prepared_.reset();
    if (!directory_->Unlink(next->segment()->name()).ok()) Fail(status);
  } else if (next->capacity() > config_.segment_bytes) {
    Discard(*next);  // made for these records
  } else {
    prepared_ = std::move(next);
  }
  return status;
}

void Log::Activate(std::shared_ptr<SegmentWriter> next) {
  // One that these records did not fit into was overtaken: ids in the chain only grow.
  if (next != prepared_) DiscardPrepared();
  prepared_.reset();
  table_.Add(next->shared_segment());
  if (active_ != nullptr) {
    seals_.push_back({active_, next->shared_segment(), active_->end(), last_sequence_});
    unsealed_.store(seals_.size(), std::memory_order_release);
    if (config_.background_threads > 0) sealer_.Wake();
    WakePreparer();
  }
  active_ = std::move(next);
  entry_durable_ = false;
  help_at_ = 0;
}

absl::Status Log::ChangeManifest(const std::function<absl::Status(Manifest*)>& change) {
  return CreateManifest(
      change, [this](const Manifest& manifest) { return WriteManifest(directory_, manifest); });
}

absl::Status Log::CreateManifest(const std::function<absl::Status(Manifest*)>& change,
                                 const std::function<absl::Status(const Manifest&)>& create) {
  MutexLock lock(write_mutex_);
  if (manifest_kept_ || read_only_) return absl::OkStatus();
  Manifest manifest = log_.manifest;
  absl::Status status = change(&manifest);
  if (status.ok()) status = create(manifest);
  if (status.ok()) log_.manifest = std::move(manifest);
  return status;
}

void Log::KeepManifest() {
  MutexLock lock(write_mutex_);
  manifest_kept_ = true;
  descriptors_->CloseIdle();
}

void Log::NoteBackgroundError(absl::Status status) {
  MutexLock lock(status_mutex_);
  news_.push_back(
      [status = std::move(status)](Listener* listener) { listener->OnBackgroundError(status); });
}

absl::Status Log::CheckLinked(const File* file) const {
  const bool directory_gone = !directory_->IsLinked();
  if (!directory_gone && (file == nullptr || file->IsLinked())) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      directory_gone ? directory_->path() : file->name(), ": removed while the database was open"));
}

absl::Status Log::Explained(absl::Status status) {
  if (!IsAboutNames(status)) return status;
  absl::Status linked = CheckLinked(nullptr);
  if (linked.ok()) return absl::FailedPreconditionError(status.message());
  Fail(std::move(linked));
  return this->status();
}

void Log::Fail(absl::Status status) {
  {
    MutexLock lock(status_mutex_);
    if (!status_.ok()) return;
    if (IsAboutNames(status)) status = absl::FailedPreconditionError(status.message());
    status_ = absl::Status(status.code(),
                           absl::StrCat("database is read-only after: ", status.message()));
    news_.push_back([status](Listener* listener) { listener->OnBackgroundError(status); });
  }
  failed_.store(true, std::memory_order_release);
  MutexLock lock(observer_mutex_);
  if (failure_observer_) failure_observer_();
}

void Log::SetFailureObserver(std::function<void()> observer) {
  MutexLock lock(observer_mutex_);
  failure_observer_ = std::move(observer);
}

void Log::TellListener() {
  std::vector<std::function<void(Listener*)>> news;
  {
    MutexLock lock(status_mutex_);
    news.swap(news_);
  }
  if (config_.listener == nullptr) return;
  for (const auto& tell : news) tell(config_.listener.get());
}

absl::Status Log::status() const {
  MutexLock lock(status_mutex_);
  return status_;
}

}  // namespace rumcask
