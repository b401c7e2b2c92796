#include "core/compaction/tombstones.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "core/format/fuse_filter.h"
#include "core/segment/segment_file.h"
#include "core/system/seeded_bug.h"

namespace rumcask {

size_t TombstoneAudit::Ask(std::string_view key, uint64_t sequence, uint64_t own_id) {
  questions_.push_back({FuseFilterHash(key), sequence, own_id});
  return questions_.size() - 1;
}

absl::Status TombstoneAudit::Answer() {
  if (questions_.empty() || SeededBug("tombstones-dropped")) return absl::OkStatus();
  for (const std::shared_ptr<Segment>& segment : log_->Segments()) {
    const bool all_stay = std::all_of(questions_.begin(), questions_.end(),
                                      [](const Question& q) { return q.must_stay; });
    if (all_stay) break;
    // Both may outlive the tombstone's own segment.
    const bool is_victim = segment->role.load(std::memory_order_relaxed) == Segment::Role::kVictim;
    const bool is_survivor = segment->stream() == Stream::kSurvivor;
    if (is_victim && SeededBug("fellow-victims-not-asked")) continue;
    if (is_survivor && SeededBug("survivors-not-asked")) continue;
    absl::Status status = AskSegment(*segment);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status TombstoneAudit::AskSegment(const Segment& segment) {
  absl::StatusOr<std::unique_ptr<SegmentFile>> file =
      SegmentFile::Open(directory_, log_->uuid(), segment.id());
  if (IsDamage(file.status())) {
    // It may hold every key.
    for (Question& question : questions_) question.must_stay |= question.own_id != segment.id();
    return absl::OkStatus();
  }
  if (!file.ok()) return file.status();
  const absl::StatusOr<std::optional<Trailer>> trailer = (*file)->ReadTrailer();
  if (!trailer.ok()) return trailer.status();
  // The lowest number that a record in it can have.
  SegmentHeader header;
  const absl::StatusOr<HeaderState> state = (*file)->ReadHeader(&header);
  if (!state.ok()) return state.status();
  uint64_t first = *state == HeaderState::kValid ? header.base_sequence : 0;
  // Without a filter that verifies, the segment may hold every key.
  std::optional<FuseFilter> filter;
  std::string bytes;
  bool holds_none = false;
  if (trailer->has_value()) {
    first = std::max(first, (*trailer)->first_sequence);
    // Puts and lost records could come back. A lost one would be in the filter.
    holds_none = (*trailer)->puts == 0 && (*trailer)->filter_bytes == 0 && !(*trailer)->is_early &&
                 (*trailer)->records <= kMostFilterKeys;
    absl::StatusOr<std::optional<std::string>> read = (*file)->ReadFilter(**trailer);
    if (!read.ok()) return read.status();
    if (read->has_value() && !(*read)->empty()) {
      bytes = **std::move(read);
      filter = FuseFilter::Parse(bytes);
    }
  }
  for (Question& question : questions_) {
    if (question.must_stay || question.own_id == segment.id() || question.sequence < first) {
      continue;
    }
    question.must_stay =
        !holds_none && (!filter.has_value() || filter->MayContain(question.key_hash));
  }
  return absl::OkStatus();
}

}  // namespace rumcask
