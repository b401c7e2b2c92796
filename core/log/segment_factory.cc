#include "core/log/segment_factory.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace rumcask {

uint64_t SegmentFactory::MappingsFor(uint64_t all) const {
  if (!config_.read_mapped) return 0;
  return std::min(all, config_.mapping_budget->left(config_.process_mappings) / 2);
}

absl::StatusOr<uint32_t> SegmentFactory::ReserveSlot() const {
  const std::optional<uint32_t> slot = table_->Reserve();
  if (slot.has_value()) return *slot;
  return absl::ResourceExhaustedError(
      absl::StrCat(directory_->path(), ": more than ", Location::kMaxSlots, " segments"));
}

void SegmentFactory::AttachFile(Segment* segment, std::shared_ptr<File> file, uint64_t bytes,
                                bool grows) const {
  // A mapping that is read from stays until the segment is retired or the database is closed. One
  // that is only written to goes when the segment is sealed.
  std::shared_ptr<const void> permit;
  if (config_.read_mapped) permit = config_.mapping_budget->Take(config_.process_mappings);
  const bool writes_mapped = grows && config_.append_mapped;
  std::shared_ptr<MappedRegion> region;
  if (permit != nullptr || writes_mapped) {
    // A mapping that cannot be had, for want of address space or because the file system has none,
    // costs speed, not function.
    absl::StatusOr<std::unique_ptr<MappedRegion>> mapped = file->Map(bytes, writes_mapped);
    if (mapped.ok()) region = std::move(*mapped);
  }
  if (grows) segment->BeginWriting({std::move(file), writes_mapped ? region : nullptr});
  if (permit != nullptr && region != nullptr) {
    region->AdviseRandom();
    segment->ReadFrom(std::move(region), std::move(permit));
  } else {
    segment->ReadThrough(std::make_unique<CachedFile>(descriptors_, segment->name()));
  }
}

absl::StatusOr<std::shared_ptr<Segment>> SegmentFactory::OpenFound(const RecoveredSegment& found,
                                                                   bool maps, bool grows) const {
  absl::StatusOr<uint32_t> slot = ReserveSlot();
  if (!slot.ok()) return slot.status();
  auto segment =
      std::make_shared<Segment>(found.id, *slot, found.stream, SegmentSeed(uuid_, found.id));
  if (grows || maps) {
    absl::StatusOr<std::unique_ptr<File>> opened =
        directory_->Open(segment->name(), grows ? OpenMode::kReadWrite : OpenMode::kReadOnly);
    if (!opened.ok()) return opened.status();
    AttachFile(segment.get(), std::move(*opened),
               grows ? std::max(config_.segment_bytes, found.end) : found.file_bytes, grows);
  } else {
    segment->ReadThrough(std::make_unique<CachedFile>(descriptors_, segment->name()));
  }
  segment->set_end(found.end);
  segment->sealed.store(found.listed_sealed, std::memory_order_relaxed);
  segment->sealed_at.store(found.last_sequence, std::memory_order_relaxed);
  if (found.has_footer) {
    segment->tombstone_bytes.store(found.trailer.delete_bytes, std::memory_order_relaxed);
  }
  segment->records.store(found.records, std::memory_order_relaxed);
  segment->allocated_bytes.store(found.file_bytes, std::memory_order_relaxed);
  return segment;
}

absl::StatusOr<std::shared_ptr<SegmentWriter>> SegmentFactory::Create(uint64_t id,
                                                                      uint64_t capacity) const {
  // If the descriptor in reserve was needed, and others are free again.
  (void)descriptors_->Reserve();
  absl::StatusOr<uint32_t> slot = ReserveSlot();
  if (!slot.ok()) return slot.status();
  absl::StatusOr<std::unique_ptr<File>> opened =
      directory_->Open(SegmentName(id), OpenMode::kCreateNew);
  if (!opened.ok()) {
    table_->Release(*slot);
    return opened.status();
  }
  auto segment = std::make_shared<Segment>(id, *slot, Stream::kUser, SegmentSeed(uuid_, id));
  AttachFile(segment.get(), std::move(*opened), capacity, /*grows=*/true);
  const bool mapped = segment->region() != nullptr;
  return std::make_shared<SegmentWriter>(std::move(segment), mapped, kSegmentHeaderBytes, 0,
                                         capacity, 0);
}

absl::StatusOr<NewSurvivor> SegmentFactory::CreateSurvivor(uint64_t id) const {
  absl::StatusOr<uint32_t> slot = ReserveSlot();
  if (!slot.ok()) return slot.status();
  absl::StatusOr<std::unique_ptr<File>> file =
      directory_->Open(SegmentName(id), OpenMode::kCreateNew);
  if (!file.ok()) {
    table_->Release(*slot);
    return file.status();
  }
  return NewSurvivor{
      std::make_shared<Segment>(id, *slot, Stream::kSurvivor, SegmentSeed(uuid_, id)),
      *std::move(file)};
}

void SegmentFactory::FinishSurvivor(NewSurvivor* survivor, const Trailer& trailer) const {
  Segment* const segment = survivor->segment.get();
  AttachFile(segment, std::move(survivor->file), trailer.file_bytes(), /*grows=*/false);
  segment->set_end(trailer.table_offset);
  segment->sealed.store(true, std::memory_order_relaxed);
  segment->records.store(trailer.records, std::memory_order_relaxed);
  segment->allocated_bytes.store(trailer.file_bytes(), std::memory_order_relaxed);
  segment->tombstone_bytes.store(trailer.delete_bytes, std::memory_order_relaxed);
}

void SegmentFactory::DiscardSurvivor(const Segment& survivor) const {
  table_->Release(survivor.slot());
  // If this fails, the next opening removes it, as MANIFEST does not list it.
  (void)directory_->Unlink(survivor.name());
}

absl::Status SegmentFactory::Remove(const SegmentWriter& writer) const {
  table_->Release(writer.segment()->slot());
  return directory_->Unlink(writer.segment()->name());
}

void SegmentFactory::Discard(const SegmentWriter& writer) const {
  if (Remove(writer).ok()) return;
  // It has nothing but zeros, and goes at the next opening. Until then it shall take no room.
  (void)writer.segment()->file()->Truncate(0);
}

}  // namespace rumcask
