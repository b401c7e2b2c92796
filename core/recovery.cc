#include "core/recovery.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/seeded_bug.h"
#include "core/segment_file.h"
#include "core/user_chain.h"

namespace rumcask {
namespace {

// So many ids must be left for segments to come; a file of ours would take ages to get there, but
// anyone can make one by that name.
constexpr uint64_t kSpareIds = uint64_t{1} << 32;

// A user segment that MANIFEST does not vouch for as sealed.
struct Candidate {
  uint64_t id = 0;
  uint64_t required_end = 0;
  uint64_t file_bytes = 0;
  HeaderState state = HeaderState::kUnborn;
  SegmentHeader header;
  // Read-only: the header cannot be read.
  bool unreadable = false;
};

class Recovery {
 public:
  Recovery(Directory* directory, const Manifest& manifest, bool read_only)
      : directory_(directory), read_only_(read_only) {
    log_.manifest = manifest;
  }

  absl::StatusOr<RecoveredLog> Run() {
    log_.durable_sequence = log_.manifest.durable_sequence;
    log_.last_sequence = log_.manifest.durable_sequence;
    absl::Status status = ListFiles();
    if (status.ok()) status = CheckListed();
    if (status.ok()) status = ReadCandidates();
    if (status.ok()) status = WalkChain();
    if (status.ok()) status = BoundSealed();
    if (status.ok()) status = Judge();
    if (!status.ok()) return status;
    return std::move(log_);
  }

 private:
  // Damage stops a read-write opening and is noted by a read-only one.
  absl::Status Damaged(std::string file, uint64_t offset, std::string cause) {
    Damage damage{std::move(file), offset, 0, std::move(cause)};
    if (!read_only_) return DamageStatus(damage);
    log_.damages.push_back(std::move(damage));
    return absl::OkStatus();
  }

  // What has the file's name is no regular file.
  absl::Status DamagedFile(uint64_t id, const absl::Status& status) {
    return Damaged(SegmentName(id), 0, std::string(status.message()));
  }

  // What cannot be read cannot be called a torn tail: it may be records that were promised, and the
  // next attempt may read them.
  absl::Status Unreadable(uint64_t id, uint64_t offset) {
    return Damaged(
        SegmentName(id), offset,
        "a sector behind this cannot be read, so that it is not known where the log ends");
  }

  // The highest number that the segments before this one can have.
  static uint64_t NumbersBelow(const SegmentHeader& header) {
    return std::max(header.base_sequence, uint64_t{1}) - 1;
  }

  absl::Status ListFiles();
  absl::Status CheckListed();
  absl::Status ReadSealed(uint64_t id, Stream stream);
  absl::Status ReadCandidates();
  absl::Status ReadCandidate(uint64_t id, uint64_t required_end);
  absl::Status WalkChain();
  absl::Status ScanCandidate(const Candidate& candidate, RecoveredSegment* segment);
  absl::Status Judge();
  absl::Status BoundSealed();
  absl::Status EndByLink(const SegmentHeader& successor, RecoveredSegment* segment);
  absl::Status EndByScan(RecoveredSegment* segment);
  absl::StatusOr<std::optional<SegmentHeader>> HeaderOf(uint64_t id);
  absl::Status PassOver(const Candidate& candidate);
  // Takes account of what is in a file from `begin` on and is not kept.
  absl::Status NoteDropped(const Candidate& candidate, uint64_t begin);
  absl::StatusOr<std::unique_ptr<SegmentFile>> Open(uint64_t id) const {
    return SegmentFile::Open(directory_, log_.manifest.uuid, id);
  }

  Directory* const directory_;
  const bool read_only_;
  RecoveredLog log_;
  UserChain chain_{&log_};
  std::vector<uint64_t> present_;  // ids of segment files, ascending
  std::vector<Candidate> candidates_;
  // No record anywhere has a higher number, whatever MANIFEST says.
  uint64_t highest_seen_ = 0;
};

absl::Status Recovery::ListFiles() {
  absl::StatusOr<std::vector<std::string>> names = directory_->List();
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (const std::optional<uint64_t> id = ParseSegmentName(name)) present_.push_back(*id);
  }
  std::sort(present_.begin(), present_.end());
  log_.highest_id = std::max(log_.manifest.highest_id, present_.empty() ? 0 : present_.back());
  if (log_.highest_id < kEndOfNumbers - kSpareIds) return absl::OkStatus();
  const std::string name = SegmentName(std::exchange(log_.highest_id, 0));
  return Damaged(name, 0, "its id leaves none for the segments after it");
}

absl::Status Recovery::CheckListed() {
  for (const ManifestRange& range : log_.manifest.live) {
    // A hostile MANIFEST may list 2^60 ids: what is present bounds the walk.
    auto at = std::lower_bound(present_.begin(), present_.end(), range.first_id);
    for (uint64_t expected = range.first_id; expected <= range.last_id; ++expected, ++at) {
      const uint64_t end = range.last_id + 1;
      const uint64_t next = at == present_.end() ? end : std::min(*at, end);
      // A merely prepared file holds nothing.
      if (next != expected && (range.sealed || range.required_end != 0)) {
        absl::Status status =
            Damaged(SegmentName(expected), 0,
                    next == expected + 1 ? "segment listed in MANIFEST is missing"
                                         : absl::StrCat("segments through ", SegmentName(next - 1),
                                                        " listed in MANIFEST are missing"));
        if (!status.ok()) return status;
      }
      if (next == end) break;
      expected = next;
      if (!range.sealed) continue;
      absl::Status status = ReadSealed(expected, range.stream);
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::Status Recovery::ReadSealed(uint64_t id, Stream stream) {
  absl::StatusOr<std::unique_ptr<SegmentFile>> file = Open(id);
  if (absl::IsFailedPrecondition(file.status())) return DamagedFile(id, file.status());
  if (!file.ok()) return file.status();
  const absl::StatusOr<std::optional<Trailer>> trailer = (*file)->ReadTrailer();
  if (!trailer.ok()) return trailer.status();
  const uint64_t size = (*file)->size();
  RecoveredSegment segment;
  segment.id = id;
  segment.stream = stream;
  segment.listed_sealed = true;
  segment.file_bytes = size;
  segment.has_trailer = trailer->has_value();
  if (segment.has_trailer) {
    segment.trailer = **trailer;
    segment.end = segment.trailer.table_offset;
    segment.last_sequence = segment.trailer.last_sequence;
    segment.last_checksum = segment.trailer.last_checksum;
    segment.records = segment.trailer.records;
  } else {
    // Where its records end is found out by BoundSealed.
    segment.end = std::max((*file)->records_limit(), uint64_t{kSegmentHeaderBytes});
    ++log_.report.damaged_footers;
    const uint64_t at = size < kTrailerBytes ? 0 : size - kTrailerBytes;
    log_.damages.push_back(
        {SegmentName(id), at, size - at, "footer of a sealed segment is damaged"});
  }
  if (!SeededBug("highest-number-from-manifest")) {
    highest_seen_ = std::max(highest_seen_, segment.last_sequence);
    // Listed as sealed, it is durable.
    if (stream == Stream::kUser) {
      log_.last_sequence = std::max(log_.last_sequence, segment.last_sequence);
    }
  }
  log_.segments.push_back(std::move(segment));
  return absl::OkStatus();
}

absl::Status Recovery::ReadCandidate(uint64_t id, uint64_t required_end) {
  absl::StatusOr<std::unique_ptr<SegmentFile>> file = Open(id);
  if (absl::IsFailedPrecondition(file.status())) {
    // A directory, a link or the like by that name is none of ours, unless MANIFEST lists one.
    return required_end == 0 ? absl::OkStatus() : DamagedFile(id, file.status());
  }
  if (!file.ok()) return file.status();
  Candidate candidate;
  candidate.id = id;
  candidate.required_end = required_end;
  candidate.file_bytes = (*file)->size();
  const absl::StatusOr<HeaderState> state = (*file)->ReadHeader(&candidate.header);
  if (!state.ok()) return state.status();
  candidate.state = *state;
  candidate.unreadable = (*file)->bytes()->IsUnreadable(0, (*file)->records_limit());
  if (candidate.unreadable) {
    absl::Status status = Unreadable(id, 0);
    if (!status.ok()) return status;
  }
  if (candidate.state == HeaderState::kTooNew) {
    return absl::FailedPreconditionError(absl::StrCat(directory_->path(), "/", SegmentName(id),
                                                      ": format ", candidate.header.format,
                                                      " is not one this version reads"));
  }
  if (candidate.state == HeaderState::kValid) {
    if (!SeededBug("headers-prove-nothing")) {
      log_.durable_sequence = std::max(log_.durable_sequence, candidate.header.durable_sequence);
    }
    highest_seen_ = std::max(highest_seen_, NumbersBelow(candidate.header));
  }
  candidates_.push_back(candidate);
  return absl::OkStatus();
}

absl::Status Recovery::ReadCandidates() {
  for (uint64_t id : present_) {
    const ManifestRange* range = log_.manifest.Find(id);
    if (range != nullptr && range->sealed) continue;
    if (range == nullptr && id <= log_.manifest.highest_id) {
      log_.doomed.push_back(id);  // dead: retired or dropped, and back after a power cut
      continue;
    }
    absl::Status status = ReadCandidate(id, range == nullptr ? 0 : range->required_end);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Recovery::ScanCandidate(const Candidate& candidate, RecoveredSegment* segment) {
  absl::StatusOr<std::unique_ptr<SegmentFile>> file = Open(candidate.id);
  if (!file.ok()) return file.status();
  const absl::StatusOr<std::optional<Trailer>> trailer = (*file)->ReadTrailer();
  if (!trailer.ok()) return trailer.status();
  segment->id = candidate.id;
  segment->file_bytes = candidate.file_bytes;
  bool whole = false;
  if (trailer->has_value()) {
    segment->trailer = **trailer;
    // It may be torn: of its sectors a power cut may have left the last and not the others.
    std::string table;
    const absl::StatusOr<bool> read = (*file)->ReadKeyTable(segment->trailer, &table);
    if (!read.ok()) return read.status();
    whole = *read;
  }
  if (whole && segment->trailer.last_sequence > 0 &&
      (segment->trailer.last_sequence <= log_.durable_sequence ||
       SeededBug("footer-is-evidence"))) {
    // The footer was made durable together with the records before it, if not after them.
    segment->has_trailer = true;
    segment->vouched_for = true;
    segment->end = segment->trailer.table_offset;
    segment->last_sequence = segment->trailer.last_sequence;
    segment->last_checksum = segment->trailer.last_checksum;
    segment->records = segment->trailer.records;
    return absl::OkStatus();
  }
  // A footer alone proves nothing about the records before it: they are read.
  ++log_.report.scanned_segments;
  uint64_t last = 0;
  uint64_t records = 0;
  const auto take = [&](const FoundRecord& record) {
    ++records;
    if (record.header.has_number()) {
      last = std::max(last, record.header.sequence);
    } else {
      log_.durable_sequence = std::max(log_.durable_sequence, record.header.sequence);
    }
    // The stream ends at the last whole record or whole batch.
    if (record.header.part == BatchPart::kNone || record.header.part == BatchPart::kLast ||
        SeededBug("half-batch-kept")) {
      segment->end = record.end();
      segment->last_sequence = last;
      segment->last_checksum = record.header.checksum;
      segment->records = records;
    }
  };
  const uint64_t limit = (*file)->records_limit();
  const absl::StatusOr<uint64_t> stopped = (*file)->ReadPrefix(kSegmentHeaderBytes, limit, take);
  if (!stopped.ok()) return stopped.status();
  if ((*file)->bytes()->IsUnreadable(*stopped, limit)) {
    segment->unreadable = true;
    absl::Status status = Unreadable(candidate.id, *stopped);
    // Read-only: what verifies behind it is offered.
    if (status.ok()) {
      status = (*file)->ForEachRecord(
          *stopped, limit,
          [&](const FoundRecord& record) {
            if (!record.header.has_number() || record.header.sequence > last) take(record);
            return absl::OkStatus();
          },
          [](const FoundDamage&) { return absl::OkStatus(); });
    }
    if (!status.ok()) return status;
  }
  segment->has_trailer = whole && segment->trailer.table_offset == segment->end;
  return absl::OkStatus();
}

absl::Status Recovery::WalkChain() {
  for (const Candidate& candidate : candidates_) {
    if (candidate.state == HeaderState::kUnborn && candidate.required_end == 0) {
      log_.doomed.push_back(candidate.id);
      continue;
    }
    // A header that cannot be read may be the next one's, whose records tell by their checksums.
    const bool linked = candidate.unreadable ||
                        (candidate.state == HeaderState::kValid && chain_.GoesOn(candidate.header));
    // What the device hides of the segment before lies below the end that this one names.
    if (linked && !candidate.unreadable && chain_.Tail() != nullptr && chain_.Tail()->unreadable) {
      log_.segments.back().end =
          std::max(log_.segments.back().end, candidate.header.predecessor_end);
    }
    // Where MANIFEST vouches for records they are searched for, whatever the header says.
    if (!linked && candidate.required_end <= kSegmentHeaderBytes) {
      absl::Status status = PassOver(candidate);
      if (!status.ok()) return status;
      continue;
    }
    RecoveredSegment segment;
    absl::Status status = ScanCandidate(candidate, &segment);
    if (!status.ok()) return status;
    if (!linked || segment.end < candidate.required_end) {
      status = Damaged(SegmentName(candidate.id), linked ? segment.end : 0,
                       linked ? absl::StrCat("damaged below the end that MANIFEST vouches for, ",
                                             candidate.required_end)
                              : std::string("segment header is damaged"));
      if (!status.ok()) return status;
      // Read-only: the loader finds what verifies beyond the damage.
      segment.end = std::max(segment.end, std::min(candidate.required_end, candidate.file_bytes));
    }
    log_.last_sequence = std::max(log_.last_sequence, segment.last_sequence);
    log_.continues_last = log_.manifest.clean && segment.end == candidate.required_end;
    const uint64_t records_end = segment.end;
    const bool footed = segment.has_trailer;
    log_.segments.push_back(std::move(segment));
    if (footed) continue;
    // Space after the end of an unsealed segment may hold marks of what came after the cut.
    status = NoteDropped(candidate, records_end);
    if (!status.ok()) return status;
  }
  chain_.DropEmptyEnd();
  return absl::OkStatus();
}

absl::Status Recovery::PassOver(const Candidate& candidate) {
  log_.doomed.push_back(candidate.id);
  log_.dropped.push_back(candidate.id);
  ++log_.report.dropped_segments;
  log_.dropped_file_bytes += candidate.file_bytes;
  // A header that is torn may be a record's.
  return NoteDropped(candidate, candidate.state == HeaderState::kValid ? kSegmentHeaderBytes : 0);
}

absl::Status Recovery::NoteDropped(const Candidate& candidate, uint64_t begin) {
  absl::StatusOr<std::unique_ptr<SegmentFile>> file = Open(candidate.id);
  if (!file.ok()) return file.status();
  const absl::StatusOr<TailTraces> traces = (*file)->ReadTraces(begin);
  if (!traces.ok()) return traces.status();
  if ((*file)->bytes()->IsUnreadable(begin, (*file)->records_limit())) {
    absl::Status status = Unreadable(candidate.id, begin);
    if (!status.ok()) return status;
  }
  if (!SeededBug("marks-beyond-tear-ignored")) {
    log_.durable_sequence = std::max(log_.durable_sequence, traces->durable_sequence);
  }
  log_.report.dropped_bytes += traces->bytes;
  return absl::OkStatus();
}

absl::Status Recovery::Judge() {
  if (log_.last_sequence < log_.durable_sequence) {
    const RecoveredSegment* const tail = chain_.Tail();
    absl::Status status = Damaged(
        tail == nullptr ? std::string(kManifestName) : SegmentName(tail->id),
        tail == nullptr ? 0 : tail->end,
        absl::StrCat("the log ends here with version ", log_.last_sequence,
                     ", but all versions through ", log_.durable_sequence, " were durable"));
    if (!status.ok()) return status;
  }
  // A MANIFEST from before the last writes, which a device lost a write of or somebody put back.
  if (log_.last_sequence > log_.manifest.durable_sequence) log_.manifest.clean = false;
  log_.report.was_clean = log_.manifest.clean;
  log_.report.last_version = log_.last_sequence;
  const uint64_t seen = std::max({log_.last_sequence, log_.durable_sequence, highest_seen_});
  log_.next_sequence = std::max(log_.manifest.next_sequence, seen + 1);
  // Also if nothing is there: what was given out may have been lost altogether.
  if (!log_.manifest.clean && !SeededBug("numbers-reused")) {
    log_.next_sequence = FirstSequenceAfterLoss(log_.next_sequence);
  }
  if (log_.next_sequence <= kEndOfNumbers - kSequenceBlock) return absl::OkStatus();
  const uint64_t next = std::exchange(log_.next_sequence, seen + 1);
  return Damaged(std::string(kManifestName), 0,
                 absl::StrCat("version ", next, " leaves none for further writes"));
}

absl::StatusOr<std::optional<SegmentHeader>> Recovery::HeaderOf(uint64_t id) {
  absl::StatusOr<std::unique_ptr<SegmentFile>> file = Open(id);
  if (!file.ok()) return file.status();
  SegmentHeader header;
  const absl::StatusOr<HeaderState> state = (*file)->ReadHeader(&header);
  if (!state.ok()) return state.status();
  if (*state != HeaderState::kValid) return std::nullopt;
  return header;
}

// A sealed segment whose footer is damaged: the header of its successor tells where its records
// end. The last one ends with its last record that verifies, and has to hold what was durable.
absl::Status Recovery::BoundSealed() {
  std::sort(log_.segments.begin(), log_.segments.end(),
            [](const RecoveredSegment& a, const RecoveredSegment& b) { return a.id < b.id; });
  for (size_t i = 0; i < log_.segments.size(); ++i) {
    RecoveredSegment& segment = log_.segments[i];
    if (!segment.listed_sealed || segment.has_trailer || segment.stream != Stream::kUser) continue;
    std::optional<SegmentHeader> successor;
    const auto next =
        std::find_if(log_.segments.begin() + static_cast<ptrdiff_t>(i) + 1, log_.segments.end(),
                     [](const RecoveredSegment& other) { return other.stream == Stream::kUser; });
    if (next != log_.segments.end()) {
      absl::StatusOr<std::optional<SegmentHeader>> header = HeaderOf(next->id);
      if (!header.ok()) return header.status();
      if (header->has_value() && (*header)->predecessor_id == segment.id) successor = **header;
    }
    absl::Status status =
        successor.has_value() ? EndByLink(*successor, &segment) : EndByScan(&segment);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Recovery::EndByLink(const SegmentHeader& successor, RecoveredSegment* segment) {
  segment->last_checksum = successor.predecessor_checksum;
  highest_seen_ = std::max(highest_seen_, NumbersBelow(successor));
  if (successor.predecessor_end <= segment->end) {
    segment->end = std::max(successor.predecessor_end, uint64_t{kSegmentHeaderBytes});
    return absl::OkStatus();
  }
  return Damaged(
      SegmentName(segment->id), segment->file_bytes,
      absl::StrCat("the file ends here, its records end at ", successor.predecessor_end));
}

absl::Status Recovery::EndByScan(RecoveredSegment* segment) {
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
        // What a mark vouches for comes before it.
        last = std::max(last, record.header.sequence);
        if (record.header.has_number()) segment->last_sequence = last;
        return absl::OkStatus();
      },
      // Damage is told of by whoever loads the segment.
      [](const FoundDamage&) { return absl::OkStatus(); });
  if (!status.ok()) return status;
  highest_seen_ = std::max(highest_seen_, last);
  log_.last_sequence = std::max(log_.last_sequence, segment->last_sequence);
  if (last >= log_.durable_sequence) return absl::OkStatus();
  return Damaged(SegmentName(segment->id), segment->end,
                 absl::StrCat("the records end here with version ", last, ", but all through ",
                              log_.durable_sequence, " were durable"));
}

}  // namespace

absl::StatusOr<RecoveredLog> Recover(Directory* directory, const Manifest& manifest,
                                     bool read_only) {
  return Recovery(directory, manifest, read_only).Run();
}

}  // namespace rumcask
