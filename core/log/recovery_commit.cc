#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "core/log/recovery.h"
#include "core/segment/segment_footer.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

// Cuts the segment at its end and gives it a footer.
absl::Status Seal(Directory* directory, const Uuid& uuid, uint64_t durable,
                  RecoveredSegment* segment, bool* final) {
  absl::StatusOr<std::unique_ptr<File>> file =
      directory->Open(SegmentName(segment->id), OpenMode::kReadWrite);
  if (!file.ok()) return file.status();
  // Records up to `durable` were on the device before the unclean end.
  if (segment->last_sequence > durable && !SeededBug("tail-not-rewritten")) {
    absl::Status status = RewriteSegmentFile(file->get(), 0, segment->end);
    if (!status.ok()) return status;
  }
  absl::StatusOr<std::optional<Trailer>> trailer =
      SealSegmentFile(file->get(), uuid, segment->id, segment->end);
  if (!trailer.ok()) {
    *final = true;
    return trailer.status();
  }
  if (!trailer->has_value()) {
    return absl::ResourceExhaustedError(
        absl::StrCat((*file)->name(), ": no room for the footer that recovery gives it"));
  }
  segment->has_footer = true;
  segment->trailer = **trailer;
  return absl::OkStatus();
}

// Makes the footer of a segment durable whose records are durable. It may be in the page cache
// only, as the process may have ended between writing and syncing it.
absl::Status KeepFooter(Directory* directory, const RecoveredLog& log,
                        const RecoveredSegment& segment, bool* final) {
  // Whatever made a later record durable made the footers before it durable first: a sync waits for
  // them, and sealing goes in the order of the segments.
  if (segment.last_sequence < log.durable_sequence) {
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<File>> file =
      directory->Open(SegmentName(segment.id), OpenMode::kReadWrite);
  if (!file.ok()) return file.status();
  absl::Status status = RewriteSegmentFile(file->get(), segment.end, segment.file_bytes);
  if (!status.ok()) return status;
  status = (*file)->Sync();
  if (!status.ok()) *final = true;
  return status;
}

}  // namespace

absl::Status SettleSegments(Directory* directory, RecoveredLog* log, Manifest* next, bool* final) {
  for (size_t i = 0; i < log->segments.size(); ++i) {
    RecoveredSegment& segment = log->segments[i];
    const bool continued = log->continues_last && &segment == log->LastUser();
    if (!segment.listed_sealed && !continued) {
      absl::Status status =
          segment.vouched_for && !SeededBug("vouched-for-read-again")
              ? KeepFooter(directory, *log, segment, final)
              : Seal(directory, next->uuid, log->durable_sequence, &segment, final);
      if (!status.ok()) return status;
    }
    const bool vouches = !continued || !SeededBug("evidence-erased");
    next->Append(segment.id, segment.stream, !continued, vouches ? segment.end : 0);
    if (!continued) segment.listed_sealed = true;
  }
  return absl::OkStatus();
}

absl::Status RemoveDoomed(Directory* directory, RecoveredLog* log, bool* final) {
  if (log->doomed.empty()) return absl::OkStatus();
  for (uint64_t id : log->doomed) {
    // Something that is no regular file was not made by this program.
    if (absl::IsFailedPrecondition(
            directory->Open(SegmentName(id), OpenMode::kReadOnly).status())) {
      continue;
    }
    absl::Status status = directory->Unlink(SegmentName(id));
    if (!status.ok() && !absl::IsNotFound(status)) return status;
  }
  absl::Status status = directory->Sync();
  if (!status.ok()) {
    *final = true;
    return status;
  }
  log->doomed.clear();
  return absl::OkStatus();
}

}  // namespace rumcask
