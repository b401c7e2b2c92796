#include "core/check/repair_source.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/check/lost_manifest.h"
#include "core/check/verify_log.h"
#include "core/log/recovery.h"
#include "core/segment/segment_file.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

class SourceReader {
 public:
  SourceReader(Directory* directory, RepairReport* report)
      : directory_(directory), report_(report) {}

  absl::StatusOr<RepairSource> Run() {
    absl::Status status = FindManifest();
    if (status.ok()) status = LookAtFiles();
    if (!status.ok()) return status;
    absl::StatusOr<RecoveredLog> log = Recover(directory_, source_.manifest, /*read_only=*/true);
    if (!log.ok()) return log.status();
    report_->damages.insert(report_->damages.end(), log->damages.begin(), log->damages.end());
    source_.promised = log->durable_sequence;
    Count(log->durable_sequence);
    for (const RecoveredSegment& segment : log->segments) {
      // The file may have been removed since.
      const auto file = files_.find(segment.id);
      if (file != files_.end()) AddKept(segment, file->second);
    }
    AddOthers();
    CountListedMissing();
    CountNamedMissing();
    return std::move(source_);
  }

 private:
  // A segment file that can be opened.
  struct Seen {
    bool unborn = false;  // all of it is zero
    std::optional<SegmentHeader> header;
    // The trailer, if footer and key table are whole.
    std::optional<Trailer> trailer;
    uint64_t bytes = 0;
    uint64_t limit = 0;
    // The end of its records according to the segment after it.
    uint64_t once_end = 0;
    // A later segment names a predecessor before this file. So this file had been dropped by then,
    // or was left by a roll that failed.
    bool passed = false;
  };

  absl::Status FindManifest();
  absl::Status LookAtFiles();
  absl::Status Look(uint64_t id);
  // Collects from the headers what they say about the segments before them.
  void FollowLinks();
  SourceSegment Begun(uint64_t id, const Seen& seen) const;
  void AddKept(const RecoveredSegment& recovered, const Seen& seen);
  // Adds the files that are not part of the recovered log, unless they are known to be dead.
  void AddOthers();
  bool IsKept(uint64_t id) const;
  bool IsDead(uint64_t id, const Seen& seen) const;
  // The first segment of the user stream above `id` that is part of the log, or null.
  const SourceSegment* NextKept(uint64_t id) const;
  void CountListedMissing();
  void CountNamedMissing();

  void Count(uint64_t number) {
    if (number >= kEndOfRepairable) return;
    source_.highest_number = std::max(source_.highest_number, number);
  }

  Directory* const directory_;
  RepairReport* const report_;
  RepairSource source_;
  std::map<uint64_t, Seen> files_;
  std::set<uint64_t> unopened_;
  std::vector<SourceSegment> kept_;  // ascending ids
};

absl::Status SourceReader::FindManifest() {
  VerifyReport found;
  absl::Status status = VerifyManifest(directory_, &found);
  if (absl::IsNotFound(status)) {
    return absl::NotFoundError(
        absl::StrCat(directory_->path(), ": no database there (no MANIFEST)"));
  }
  if (!status.ok()) return status;
  report_->damages = std::move(found.damages);
  absl::StatusOr<DecodedManifest> decoded = ReadManifest(directory_);
  if (decoded.ok()) {
    source_.manifest = std::move(decoded->manifest);
    // It is not known which numbers were given out after this MANIFEST was written.
    source_.manifest.clean = false;
    return absl::OkStatus();
  }
  if (!absl::IsNotFound(decoded.status()) && !absl::IsDataLoss(decoded.status()) &&
      !absl::IsInternal(decoded.status())) {
    return decoded.status();
  }
  absl::StatusOr<Manifest> made = ReconstructManifest(directory_, &report_->damages);
  if (!made.ok()) return made.status();
  source_.manifest = std::move(*made);
  source_.manifest_lost = true;
  report_->manifest_lost = true;
  return absl::OkStatus();
}

absl::Status SourceReader::LookAtFiles() {
  absl::StatusOr<std::vector<std::string>> names = directory_->List();
  if (!names.ok()) return names.status();
  const uint64_t listed = source_.manifest.highest_id;
  source_.highest_id = listed < kEndOfRepairable ? listed : 0;
  for (const std::string& name : *names) {
    const std::optional<uint64_t> id = ParseSegmentName(name);
    if (!id.has_value()) continue;
    if (*id < kEndOfRepairable) source_.highest_id = std::max(source_.highest_id, *id);
    absl::Status status = Look(*id);
    if (!status.ok()) return status;
  }
  FollowLinks();
  return absl::OkStatus();
}

absl::Status SourceReader::Look(uint64_t id) {
  absl::StatusOr<std::unique_ptr<SegmentFile>> file =
      SegmentFile::Open(directory_, source_.manifest.uuid, id);
  // A file that is not a regular one does not belong to the database; one that the device cannot
  // open counts as missing.
  if (absl::IsFailedPrecondition(file.status())) return absl::OkStatus();
  if (absl::IsInternal(file.status())) {
    unopened_.insert(id);
    report_->damages.push_back({SegmentName(id), 0, 0, std::string(file.status().message())});
    return absl::OkStatus();
  }
  if (!file.ok()) return file.status();
  Seen seen;
  SegmentHeader header;
  const absl::StatusOr<HeaderState> state = (*file)->ReadHeader(&header);
  if (!state.ok()) return state.status();
  if (*state == HeaderState::kTooNew) {
    return absl::FailedPreconditionError(absl::StrCat(directory_->path(), "/", SegmentName(id),
                                                      ": needs a newer version of this program"));
  }
  if (*state == HeaderState::kValid) {
    seen.header = header;
    Count(header.durable_sequence);
    Count(std::max(header.base_sequence, uint64_t{1}) - 1);
  }
  const absl::StatusOr<std::optional<Trailer>> trailer = (*file)->ReadTrailer();
  if (!trailer.ok()) return trailer.status();
  seen.unborn = *state == HeaderState::kUnborn;
  seen.bytes = (*file)->size();
  seen.limit = (*file)->records_limit();
  if (trailer->has_value()) {
    seen.limit = (*trailer)->table_offset;
    Count((*trailer)->last_sequence);
  }
  const ManifestRange* const range = source_.manifest.Find(id);
  // The trailer of a segment that MANIFEST lists as sealed comes from Recover.
  if (trailer->has_value() && (range == nullptr || !range->sealed)) {
    std::string table;
    const absl::StatusOr<bool> whole = (*file)->ReadKeyTable(**trailer, &table);
    if (!whole.ok()) return whole.status();
    if (*whole) seen.trailer = **trailer;
  }
  files_.emplace(id, std::move(seen));
  return absl::OkStatus();
}

void SourceReader::FollowLinks() {
  uint64_t earliest = UINT64_MAX;  // earliest predecessor that a later segment names
  for (auto at = files_.rbegin(); at != files_.rend(); ++at) {
    Seen& seen = at->second;
    const bool survivor = seen.header.has_value() && seen.header->stream == Stream::kSurvivor;
    if (survivor) continue;
    seen.passed = earliest < at->first;
    if (!seen.header.has_value() || seen.header->predecessor_id >= at->first) continue;
    earliest = std::min(earliest, seen.header->predecessor_id);
    const auto named = files_.find(seen.header->predecessor_id);
    // Links of a dead segment are no longer valid.
    if (named != files_.end() && !seen.passed) {
      named->second.once_end = std::max(named->second.once_end, seen.header->predecessor_end);
    }
  }
}

SourceSegment SourceReader::Begun(uint64_t id, const Seen& seen) const {
  SourceSegment segment;
  segment.id = id;
  segment.header = seen.header;
  segment.file_bytes = seen.bytes;
  segment.limit = seen.limit;
  segment.once_end = seen.once_end;
  if (id >= kEndOfRepairable) segment.beyond = Beyond::kRefused;
  return segment;
}

void SourceReader::AddKept(const RecoveredSegment& recovered, const Seen& seen) {
  SourceSegment segment = Begun(recovered.id, seen);
  segment.stream = recovered.stream;
  const ManifestRange* const range = source_.manifest.Find(recovered.id);
  if (range != nullptr) segment.once_end = std::max(segment.once_end, range->required_end);
  const bool promised = seen.trailer.has_value() && seen.trailer->last_sequence <= source_.promised;
  if (segment.beyond == Beyond::kRefused) {
    // Nothing of it is kept.
  } else if (recovered.has_footer) {
    segment.trailer = recovered.trailer;
    segment.end = recovered.end;
  } else if (!recovered.listed_sealed && promised) {
    // Recover did not trust its trailer, but all its records were promised by something after it.
    segment.trailer = seen.trailer;
    segment.end = seen.trailer->table_offset;
  } else if (segment.stream == Stream::kSurvivor) {
    // No link says where it ends.
    segment.beyond = Beyond::kEverything;
  } else {
    segment.end = recovered.end;
    if (!recovered.listed_sealed) segment.beyond = Beyond::kPromised;
  }
  kept_.push_back(std::move(segment));
}

bool SourceReader::IsKept(uint64_t id) const {
  const auto at = std::lower_bound(kept_.begin(), kept_.end(), id,
                                   [](const SourceSegment& a, uint64_t b) { return a.id < b; });
  return at != kept_.end() && at->id == id;
}

const SourceSegment* SourceReader::NextKept(uint64_t id) const {
  auto at = std::upper_bound(kept_.begin(), kept_.end(), id,
                             [](uint64_t a, const SourceSegment& b) { return a < b.id; });
  while (at != kept_.end() && at->stream != Stream::kUser) ++at;
  return at == kept_.end() ? nullptr : &*at;
}

bool SourceReader::IsDead(uint64_t id, const Seen& seen) const {
  const Manifest& manifest = source_.manifest;
  const bool unlisted = id <= manifest.highest_id && manifest.Find(id) == nullptr;
  const bool known = !source_.manifest_lost || SeededBug("unsealed-lost-with-manifest");
  // Compaction lists a survivor before anything needs it.
  const bool survivor = seen.header.has_value() && seen.header->stream == Stream::kSurvivor;
  if (survivor && !source_.manifest_lost) return true;
  return seen.unborn || seen.passed || (unlisted && known);
}

void SourceReader::AddOthers() {
  // The log continued after each recovered segment except the last.
  for (SourceSegment& segment : kept_) {
    const SourceSegment* const next = NextKept(segment.id);
    if (segment.stream != Stream::kUser || segment.beyond != Beyond::kPromised || next == nullptr) {
      continue;
    }
    const bool linked = next->header.has_value() && next->header->predecessor_id == segment.id;
    const ManifestRange* const range = source_.manifest.Find(segment.id);
    const bool listed = range != nullptr && range->required_end > 0;
    segment.beyond = linked || listed ? Beyond::kNothing : Beyond::kEverything;
  }
  source_.segments = kept_;
  for (const auto& [id, seen] : files_) {
    if (IsKept(id) || IsDead(id, seen) || SeededBug("repair-ignores-dropped")) continue;
    SourceSegment segment = Begun(id, seen);
    const SourceSegment* const next = NextKept(id);
    if (segment.beyond == Beyond::kRefused) {
      // Nothing of it is kept.
    } else if (seen.trailer.has_value() && seen.trailer->last_sequence > 0 &&
               seen.trailer->last_sequence <= source_.promised) {
      segment.trailer = seen.trailer;
      segment.end = seen.trailer->table_offset;
    } else if (next == nullptr) {
      segment.beyond = Beyond::kPromised;
    } else if (next->header.has_value() && next->header->predecessor_id == id) {
      segment.beyond = Beyond::kEverything;
    } else {
      segment.beyond = Beyond::kContinuing;
    }
    source_.segments.push_back(std::move(segment));
  }
  std::sort(source_.segments.begin(), source_.segments.end(),
            [](const SourceSegment& a, const SourceSegment& b) { return a.id < b.id; });
}

// Recover has already reported them as damage, so they are only counted here.
void SourceReader::CountListedMissing() {
  for (const ManifestRange& range : source_.manifest.live) {
    // A file that was only prepared holds no records.
    if (!range.sealed && range.required_end == 0) continue;
    const auto first = files_.lower_bound(range.first_id);
    const auto last = files_.upper_bound(range.last_id);
    const auto there = static_cast<uint64_t>(std::distance(first, last));
    report_->segments_missing += range.last_id - range.first_id + 1 - there;
  }
}

void SourceReader::CountNamedMissing() {
  const auto counts = [this](uint64_t id) {
    const ManifestRange* const range = source_.manifest.Find(id);
    if (range != nullptr) return !range->sealed && range->required_end == 0;
    // A missing file that MANIFEST does not list was retired or dropped.
    return source_.manifest_lost || id > source_.manifest.highest_id;
  };
  std::set<uint64_t> missing;
  for (uint64_t id : unopened_) {
    if (counts(id) && missing.insert(id).second) ++report_->segments_missing;
  }
  for (const SourceSegment& segment : source_.segments) {
    if (!segment.header.has_value()) continue;
    const uint64_t id = segment.header->predecessor_id;
    const auto file = files_.find(id);
    const bool there = file != files_.end() && !file->second.unborn;
    if (id == 0 || id >= segment.id || there || IsKept(id)) continue;
    if (!counts(id) || !missing.insert(id).second) continue;
    ++report_->segments_missing;
    report_->damages.push_back({SegmentName(id), 0, 0,
                                absl::StrCat("missing, though ", SegmentName(segment.id),
                                             " names it as its predecessor")});
  }
}

}  // namespace

absl::StatusOr<RepairSource> ReadRepairSource(Directory* directory, RepairReport* report) {
  return SourceReader(directory, report).Run();
}

}  // namespace rumcask
