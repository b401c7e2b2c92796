#include "core/log/sealed_ends.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "core/segment/segment_file.h"

namespace rumcask {
namespace {

class SealedEnds {
 public:
  using OnDamage = absl::FunctionRef<absl::Status(std::string, uint64_t, std::string)>;

  SealedEnds(Directory* directory, RecoveredLog* log, uint64_t* highest_seen, OnDamage on_damage)
      : directory_(directory), log_(log), highest_seen_(highest_seen), on_damage_(on_damage) {}

  absl::Status Find(size_t index) {
    RecoveredSegment* const segment = &log_->segments[index];
    if (segment->stream == Stream::kSurvivor) return EndByManifest(segment);
    absl::StatusOr<std::optional<SegmentHeader>> successor = SuccessorOf(index);
    if (!successor.ok()) return successor.status();
    return successor->has_value() ? EndByLink(**successor, segment) : EndByScan(segment);
  }

 private:
  absl::StatusOr<std::optional<SegmentHeader>> SuccessorOf(size_t index) const;
  absl::Status EndByLink(const SegmentHeader& successor, RecoveredSegment* segment);
  absl::Status EndByManifest(RecoveredSegment* segment);
  absl::Status EndByScan(RecoveredSegment* segment);
  absl::StatusOr<std::unique_ptr<SegmentFile>> Open(uint64_t id) const {
    return SegmentFile::Open(directory_, log_->manifest.uuid, id);
  }

  Directory* const directory_;
  RecoveredLog* const log_;
  uint64_t* const highest_seen_;
  const OnDamage on_damage_;
};

// The header of the next user segment, if it is valid and names that segment as its predecessor.
absl::StatusOr<std::optional<SegmentHeader>> SealedEnds::SuccessorOf(size_t index) const {
  const auto begin = log_->segments.begin() + static_cast<ptrdiff_t>(index);
  const auto next =
      std::find_if(begin + 1, log_->segments.end(),
                   [](const RecoveredSegment& other) { return other.stream == Stream::kUser; });
  if (next == log_->segments.end()) return std::nullopt;
  absl::StatusOr<std::unique_ptr<SegmentFile>> file = Open(next->id);
  if (!file.ok()) return file.status();
  SegmentHeader header;
  const absl::StatusOr<HeaderState> state = (*file)->ReadHeader(&header);
  if (!state.ok()) return state.status();
  if (*state != HeaderState::kValid || header.predecessor_id != begin->id) return std::nullopt;
  return header;
}

absl::Status SealedEnds::EndByLink(const SegmentHeader& successor, RecoveredSegment* segment) {
  segment->last_checksum = successor.predecessor_checksum;
  *highest_seen_ = std::max(*highest_seen_, successor.numbers_below());
  if (successor.predecessor_end <= segment->end) {
    segment->end = std::max(successor.predecessor_end, uint64_t{kSegmentHeaderBytes});
    return absl::OkStatus();
  }
  return on_damage_(
      SegmentName(segment->id), segment->file_bytes,
      absl::StrCat("the file ends here, its records end at ", successor.predecessor_end));
}

absl::Status SealedEnds::EndByManifest(RecoveredSegment* segment) {
  const ManifestRange* const range = log_->manifest.Find(segment->id);
  // Without an end there, records are looked for in all of the file.
  if (range == nullptr || range->required_end == 0) return absl::OkStatus();
  if (range->required_end <= segment->file_bytes) {
    segment->end = std::max(range->required_end, uint64_t{kSegmentHeaderBytes});
    return absl::OkStatus();
  }
  return on_damage_(SegmentName(segment->id), segment->file_bytes,
                    absl::StrCat("the file ends here, its records end at ", range->required_end));
}

absl::Status SealedEnds::EndByScan(RecoveredSegment* segment) {
  absl::StatusOr<std::unique_ptr<SegmentFile>> file = Open(segment->id);
  if (!file.ok()) return file.status();
  const uint64_t limit = std::min(segment->end, segment->file_bytes);
  segment->end = kSegmentHeaderBytes;
  uint64_t last = 0;
  absl::Status status = (*file)->ForEachRecord(
      kSegmentHeaderBytes, limit,
      [&](const FoundRecord& record) {
        segment->end = record.end();
        segment->last_checksum = record.header.checksum;
        ++segment->records;
        // The records that a mark vouches for come before it.
        last = std::max(last, record.header.sequence);
        if (record.header.has_own_sequence()) segment->last_sequence = last;
        return absl::OkStatus();
      },
      // Replay reports the damage when it loads the segment.
      [](const FoundDamage&) { return absl::OkStatus(); });
  if (!status.ok()) return status;
  *highest_seen_ = std::max(*highest_seen_, last);
  log_->last_sequence = std::max(log_->last_sequence, segment->last_sequence);
  if (last >= log_->durable_sequence) return absl::OkStatus();
  return on_damage_(SegmentName(segment->id), segment->end,
                    absl::StrCat("the records end here with version ", last, ", but all through ",
                                 log_->durable_sequence, " were durable"));
}

}  // namespace

absl::Status FindSealedEnds(
    Directory* directory, RecoveredLog* log, uint64_t* highest_seen,
    absl::FunctionRef<absl::Status(std::string, uint64_t, std::string)> on_damage) {
  std::sort(log->segments.begin(), log->segments.end(),
            [](const RecoveredSegment& a, const RecoveredSegment& b) { return a.id < b.id; });
  SealedEnds ends(directory, log, highest_seen, on_damage);
  for (size_t i = 0; i < log->segments.size(); ++i) {
    const RecoveredSegment& segment = log->segments[i];
    if (!segment.listed_sealed || segment.has_footer) continue;
    absl::Status status = ends.Find(i);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckSurvivors(
    const RecoveredLog& log,
    absl::FunctionRef<absl::Status(std::string, uint64_t, std::string)> on_damage) {
  for (const RecoveredSegment& segment : log.segments) {
    if (segment.stream == Stream::kUser || segment.last_sequence <= log.last_sequence) continue;
    absl::Status status =
        on_damage(SegmentName(segment.id), 0,
                  absl::StrCat("has records up to version ", segment.last_sequence,
                               ", but the log ends with version ", log.last_sequence));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace rumcask
