#include "core/log/recovery.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/damage.h"
#include "core/log/sealed_ends.h"
#include "core/log/user_chain.h"
#include "core/segment/segment_file.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

// So many ids must be left for segments to come. A database never gets near the highest id by
// itself, but anybody can make a file by such a name.
constexpr uint64_t kSpareIds = uint64_t{1} << 32;

// A user segment that MANIFEST does not vouch for as sealed.
struct Candidate {
  uint64_t id = 0;
  uint64_t required_end = 0;
  uint64_t file_bytes = 0;
  HeaderState state = HeaderState::kUnborn;
  SegmentHeader header;
  // Set in a read-only opening only: the header cannot be read.
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
    const auto on_damage = [this](std::string file, uint64_t offset, std::string cause) {
      return Damaged(std::move(file), offset, std::move(cause));
    };
    if (status.ok()) status = FindSealedEnds(directory_, &log_, &highest_seen_, on_damage);
    if (status.ok()) status = Judge();
    if (status.ok()) status = CheckSurvivors(log_, on_damage);
    if (!status.ok()) return status;
    return std::move(log_);
  }

 private:
  // Damage is the error of a read-write opening, and is noted by a read-only one.
  absl::Status Damaged(std::string file, uint64_t offset, std::string cause) {
    Damage damage{std::move(file), offset, 0, std::move(cause)};
    if (!read_only_) return DamageStatus(damage);
    log_.damages.push_back(std::move(damage));
    return absl::OkStatus();
  }

  // The segment's name belongs to something that is no regular file, or the device cannot open it.
  absl::Status DamagedFile(uint64_t id, const absl::Status& status) {
    return Damaged(SegmentName(id), 0, std::string(status.message()));
  }
  // Whether the reason for which a segment cannot be opened is damage, as opposed to one that fails
  // the whole opening.
  bool IsDamage(const absl::Status& opened) const {
    return absl::IsFailedPrecondition(opened) || (read_only_ && absl::IsInternal(opened));
  }

  absl::Status NeedsNewer(uint64_t id) const {
    return absl::FailedPreconditionError(absl::StrCat(directory_->path(), "/", SegmentName(id),
                                                      ": needs a newer version of this program"));
  }
  // Where the trailer does not tell, the header does.
  absl::Status CheckVersion(SegmentFile* file) const {
    SegmentHeader header;
    const absl::StatusOr<HeaderState> state = file->ReadHeader(&header);
    if (!state.ok()) return state.status();
    return *state == HeaderState::kTooNew ? NeedsNewer(file->id()) : absl::OkStatus();
  }

  // What cannot be read is not taken for a torn tail: it may hold records that were promised, and
  // the next attempt may be able to read them.
  absl::Status Unreadable(uint64_t id, uint64_t offset) {
    return Damaged(SegmentName(id), offset,
                   "a sector behind this cannot be read, which may hide the end of the log");
  }

  absl::Status ListFiles();
  absl::Status CheckListed();
  absl::Status ReadSealed(uint64_t id, Stream stream);
  absl::Status ReadCandidates();
  absl::Status ReadCandidate(uint64_t id, uint64_t required_end);
  absl::Status WalkChain();
  absl::Status ScanCandidate(const Candidate& candidate, RecoveredSegment* segment);
  // Uses the footer instead of the records, if something vouches for all of the segment's records.
  bool TakeFooter(RecoveredSegment* segment) const;
  // Searches the files behind that segment for sync marks.
  absl::Status ReadMarksBehind(uint64_t id);
  // Decides where the tail ends, once it is known what follows it: the segment with that header or,
  // if it is null, nothing that names the tail's end.
  absl::Status SettleTail(const SegmentHeader* successor);
  absl::Status Judge();
  absl::Status PassOver(const Candidate& candidate);
  // Counts the bytes and reads the sync marks of a file from `begin` on, where no record of the log
  // is. Returns whether all of it could be read.
  absl::StatusOr<bool> NoteRest(const Candidate& candidate, uint64_t begin);
  absl::StatusOr<std::unique_ptr<SegmentFile>> Open(uint64_t id) const {
    return SegmentFile::Open(directory_, log_.manifest.uuid, id);
  }

  Directory* const directory_;
  const bool read_only_;
  RecoveredLog log_;
  UserChain chain_{&log_};
  std::vector<uint64_t> present_;  // ids of segment files, ascending
  std::vector<Candidate> candidates_;
  bool marks_read_ = false;  // by ReadMarksBehind
  // Bytes that were written behind the records of a file, by its id.
  std::map<uint64_t, uint64_t> rests_;
  // The highest number that any record was seen to have, or may have, whatever MANIFEST says.
  uint64_t highest_seen_ = 0;
};

absl::Status Recovery::ListFiles() {
  absl::StatusOr<std::vector<std::string>> names = directory_->List();
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    const std::optional<uint64_t> id = ParseSegmentName(name);
    // A directory or the like by such a name does not use up the ids below it.
    if (id.has_value() &&
        (*id < kEndOfNumbers - kSpareIds || !absl::IsFailedPrecondition(Open(*id).status()))) {
      present_.push_back(*id);
    }
  }
  std::sort(present_.begin(), present_.end());
  log_.highest_id = std::max(log_.manifest.highest_id, present_.empty() ? 0 : present_.back());
  if (log_.highest_id < kEndOfNumbers - kSpareIds) return absl::OkStatus();
  const std::string name = SegmentName(std::exchange(log_.highest_id, 0));
  return Damaged(name, 0, "its id leaves none for the segments after it");
}

absl::Status Recovery::CheckListed() {
  for (const ManifestRange& range : log_.manifest.live) {
    // A hostile MANIFEST may list 2^60 ids, so the loop goes over the files that are present.
    auto at = std::lower_bound(present_.begin(), present_.end(), range.first_id);
    for (uint64_t expected = range.first_id; expected <= range.last_id; ++expected, ++at) {
      const uint64_t end = range.last_id + 1;
      const uint64_t next = at == present_.end() ? end : std::min(*at, end);
      // A file that was only prepared holds nothing, so it may be missing.
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
  if (IsDamage(file.status())) return DamagedFile(id, file.status());
  if (!file.ok()) return file.status();
  const absl::StatusOr<std::optional<Trailer>> trailer = (*file)->ReadTrailer();
  if (!trailer.ok()) return trailer.status();
  const uint64_t size = (*file)->size();
  RecoveredSegment segment;
  segment.id = id;
  segment.stream = stream;
  segment.listed_sealed = true;
  segment.file_bytes = size;
  segment.has_footer = trailer->has_value();
  if (segment.has_footer) {
    segment.trailer = **trailer;
    segment.end = segment.trailer.table_offset;
    segment.first_sequence = segment.trailer.first_sequence;
    segment.last_sequence = segment.trailer.last_sequence;
    segment.last_checksum = segment.trailer.last_checksum;
    segment.records = segment.trailer.records;
  } else {
    absl::Status status = CheckVersion(file->get());
    if (!status.ok()) return status;
    // FindSealedEnds finds out where its records end.
    segment.end = std::max((*file)->records_limit(), uint64_t{kSegmentHeaderBytes});
    ++log_.report.damaged_footers;
    const uint64_t at = size < kTrailerBytes ? 0 : size - kTrailerBytes;
    log_.damages.push_back(
        {SegmentName(id), at, size - at, "footer of a sealed segment is damaged"});
  }
  if (!SeededBug("highest-number-from-manifest")) {
    highest_seen_ = std::max(highest_seen_, segment.last_sequence);
    // A segment that is listed as sealed is durable.
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
    // A directory or a link by that name is not part of the database, unless MANIFEST lists the id.
    return required_end == 0 ? absl::OkStatus() : DamagedFile(id, file.status());
  }
  if (IsDamage(file.status())) return DamagedFile(id, file.status());
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
  if (candidate.state == HeaderState::kTooNew) return NeedsNewer(id);
  // A survivor that is not listed holds nothing that was promised.
  if (candidate.state == HeaderState::kValid && candidate.header.stream == Stream::kSurvivor) {
    if (SeededBug("unlisted-survivors-taken")) return ReadSealed(id, Stream::kSurvivor);
    log_.doomed.push_back(id);
    return absl::OkStatus();
  }
  if (candidate.state == HeaderState::kValid) {
    if (!SeededBug("headers-prove-nothing")) {
      log_.durable_sequence = std::max(log_.durable_sequence, candidate.header.durable_sequence);
    }
    highest_seen_ = std::max(highest_seen_, candidate.header.numbers_below());
  }
  candidates_.push_back(candidate);
  return absl::OkStatus();
}

absl::Status Recovery::ReadCandidates() {
  for (uint64_t id : present_) {
    const ManifestRange* range = log_.manifest.Find(id);
    if (range != nullptr && range->sealed) continue;
    const bool cut = SeededBug("survivor-cuts-the-chain") && !log_.doomed.empty() &&
                     log_.doomed.back() > log_.manifest.highest_id;
    if (cut || (range == nullptr && id <= log_.manifest.highest_id)) {
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
    // It may be torn: a power cut may have kept its last sector and lost others.
    std::string table;
    const absl::StatusOr<bool> read = (*file)->ReadKeyTable(segment->trailer, &table);
    if (!read.ok()) return read.status();
    const absl::StatusOr<std::optional<std::string>> filter = (*file)->ReadFilter(segment->trailer);
    if (!filter.ok()) return filter.status();
    whole = *read && filter->has_value();
  }
  if (whole && TakeFooter(segment)) return absl::OkStatus();
  // A footer alone proves nothing about the records before it, so they are read.
  ++log_.report.scanned_segments;
  EndOfRecords end(segment);
  const uint64_t limit = (*file)->records_limit();
  const absl::StatusOr<uint64_t> stopped = (*file)->ReadPrefix(
      kSegmentHeaderBytes, limit, [&end](const FoundRecord& record) { end.Take(record); });
  if (!stopped.ok()) return stopped.status();
  log_.durable_sequence = std::max(log_.durable_sequence, end.marked());
  if (whole && *stopped < segment->trailer.table_offset) {
    // The record is rotten, or was never promised. What vouches for the segment may lie behind it,
    // as the mark that its sealing called for is in a later segment.
    absl::Status status = ReadMarksBehind(candidate.id);
    if (!status.ok()) return status;
    if (TakeFooter(segment)) return absl::OkStatus();
  }
  segment->unreadable = (*file)->bytes()->IsUnreadable(*stopped, limit);
  segment->has_footer = whole && segment->trailer.table_offset == segment->end;
  return absl::OkStatus();
}

bool Recovery::TakeFooter(RecoveredSegment* segment) const {
  const Trailer& trailer = segment->trailer;
  if (trailer.last_sequence == 0 ||
      (trailer.last_sequence > log_.durable_sequence && !SeededBug("footer-is-evidence"))) {
    return false;
  }
  // The footer became durable together with the records before it, or after them.
  segment->has_footer = true;
  segment->vouched_for = true;
  segment->end = trailer.table_offset;
  segment->first_sequence = trailer.first_sequence;
  segment->last_sequence = trailer.last_sequence;
  segment->last_checksum = trailer.last_checksum;
  segment->records = trailer.records;
  return true;
}

absl::Status Recovery::ReadMarksBehind(uint64_t id) {
  // The walk goes upwards, so the first call has searched the files behind all later segments too.
  if (std::exchange(marks_read_, true) || SeededBug("marks-behind-rot-ignored")) {
    return absl::OkStatus();
  }
  for (const Candidate& candidate : candidates_) {
    if (candidate.id <= id) continue;
    absl::StatusOr<std::unique_ptr<SegmentFile>> file = Open(candidate.id);
    if (!file.ok()) return file.status();
    const absl::StatusOr<TailTraces> traces = (*file)->ReadTraces(0);
    if (!traces.ok()) return traces.status();
    log_.durable_sequence = std::max(log_.durable_sequence, traces->durable_sequence);
  }
  return absl::OkStatus();
}

absl::Status Recovery::SettleTail(const SegmentHeader* successor) {
  RecoveredSegment* const tail = chain_.Tail();
  if (tail == nullptr || !tail->unreadable) return absl::OkStatus();
  if (successor != nullptr && successor->predecessor_id == tail->id &&
      successor->predecessor_end == tail->end &&
      successor->predecessor_checksum == tail->last_checksum) {
    // The successor's link names the end of the records, so what cannot be read behind it is none.
    tail->unreadable = false;
    return absl::OkStatus();
  }
  absl::Status status = Unreadable(tail->id, tail->end);
  if (!status.ok()) return status;
  // A read-only opening offers what verifies behind the damage.
  absl::StatusOr<std::unique_ptr<SegmentFile>> file = Open(tail->id);
  if (!file.ok()) return file.status();
  EndOfRecords end(tail);
  const uint64_t last = tail->last_sequence;
  status = (*file)->ForEachRecord(
      tail->end, (*file)->records_limit(),
      [&](const FoundRecord& record) {
        if (!record.header.has_own_sequence() || record.header.sequence > last) end.Take(record);
        return absl::OkStatus();
      },
      [](const FoundDamage&) { return absl::OkStatus(); });
  if (!status.ok()) return status;
  log_.durable_sequence = std::max(log_.durable_sequence, end.marked());
  log_.last_sequence = std::max(log_.last_sequence, tail->last_sequence);
  // The part that the device hides lies below the end that the successor names.
  if (successor != nullptr) tail->end = std::max(tail->end, successor->predecessor_end);
  return absl::OkStatus();
}

absl::Status Recovery::WalkChain() {
  for (const Candidate& candidate : candidates_) {
    if (candidate.state == HeaderState::kUnborn && candidate.required_end == 0) {
      log_.doomed.push_back(candidate.id);
      continue;
    }
    // A header that cannot be read may be that of the next segment; its records' checksums decide.
    const bool linked = candidate.unreadable ||
                        (candidate.state == HeaderState::kValid && chain_.GoesOn(candidate.header));
    // Records that MANIFEST vouches for are searched for, whatever the header says.
    if (!linked && candidate.required_end <= kSegmentHeaderBytes) {
      absl::Status status = PassOver(candidate);
      if (!status.ok()) return status;
      continue;
    }
    absl::Status status = SettleTail(linked && !candidate.unreadable ? &candidate.header : nullptr);
    if (!status.ok()) return status;
    RecoveredSegment segment;
    status = ScanCandidate(candidate, &segment);
    if (!status.ok()) return status;
    // Copies of older records are remains of a compaction.
    if (candidate.unreadable && segment.first_sequence != 0 &&
        segment.first_sequence <= log_.last_sequence) {
      status = PassOver(candidate);
      if (!status.ok()) return status;
      continue;
    }
    if (!linked || segment.end < candidate.required_end) {
      status = Damaged(SegmentName(candidate.id), linked ? segment.end : 0,
                       linked ? absl::StrCat("damaged below the end that MANIFEST vouches for, ",
                                             candidate.required_end)
                              : std::string("segment header is damaged"));
      if (!status.ok()) return status;
      // In a read-only opening, replay finds what verifies beyond the damage.
      segment.end = std::max(segment.end, std::min(candidate.required_end, candidate.file_bytes));
    }
    log_.last_sequence = std::max(log_.last_sequence, segment.last_sequence);
    log_.continues_last = log_.manifest.clean && segment.end == candidate.required_end;
    const uint64_t records_end = segment.end;
    const bool has_footer = segment.has_footer;
    log_.segments.push_back(std::move(segment));
    if (has_footer) continue;
    // The space behind the end of an unsealed segment may hold marks that were written after the
    // cut.
    const absl::StatusOr<bool> readable = NoteRest(candidate, records_end);
    if (!readable.ok()) return readable.status();
    if (!*readable) log_.segments.back().unreadable = true;
  }
  absl::Status status = SettleTail(nullptr);
  if (!status.ok()) return status;
  chain_.DropEmptyEnd();
  // What follows the records of a segment that has a successor is a torn footer, and no loss.
  for (const RecoveredSegment& segment : log_.segments) {
    if (&segment != chain_.Tail()) rests_.erase(segment.id);
  }
  for (const auto& [id, bytes] : rests_) log_.report.dropped_bytes += bytes;
  return status;
}

absl::Status Recovery::PassOver(const Candidate& candidate) {
  log_.doomed.push_back(candidate.id);
  log_.dropped.push_back(candidate.id);
  ++log_.report.dropped_segments;
  log_.dropped_file_bytes += candidate.file_bytes;
  // The damaged bytes at the beginning may be a torn header, or hold a record.
  const uint64_t begin = candidate.state == HeaderState::kValid ? kSegmentHeaderBytes : 0;
  const absl::StatusOr<bool> readable = NoteRest(candidate, begin);
  if (!readable.ok()) return readable.status();
  return *readable ? absl::OkStatus() : Unreadable(candidate.id, begin);
}

absl::StatusOr<bool> Recovery::NoteRest(const Candidate& candidate, uint64_t begin) {
  absl::StatusOr<std::unique_ptr<SegmentFile>> file = Open(candidate.id);
  if (!file.ok()) return file.status();
  const absl::StatusOr<TailTraces> traces = (*file)->ReadTraces(begin);
  if (!traces.ok()) return traces.status();
  if (!SeededBug("marks-beyond-tear-ignored")) {
    log_.durable_sequence = std::max(log_.durable_sequence, traces->durable_sequence);
  }
  rests_[candidate.id] = traces->bytes;
  return !(*file)->bytes()->IsUnreadable(begin, (*file)->records_limit());
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
  // MANIFEST is older than the last writes: a device lost a write, or somebody restored it.
  if (log_.last_sequence > log_.manifest.durable_sequence) log_.manifest.clean = false;
  log_.report.was_clean = log_.manifest.clean;
  log_.report.last_version = log_.last_sequence;
  const uint64_t seen = std::max({log_.last_sequence, log_.durable_sequence, highest_seen_});
  log_.next_sequence = std::max(log_.manifest.next_sequence, seen + 1);
  // Even if no record is there, numbers may have been given out whose records are all lost.
  if (!log_.manifest.clean && !SeededBug("numbers-reused")) {
    log_.next_sequence = FirstSequenceAfterLoss(log_.next_sequence);
  }
  if (log_.next_sequence <= kEndOfNumbers - kSequenceBlock) return absl::OkStatus();
  const uint64_t next = std::exchange(log_.next_sequence, seen + 1);
  return Damaged(std::string(kManifestName), 0,
                 absl::StrCat("version ", next, " leaves none for further writes"));
}

}  // namespace

const RecoveredSegment* RecoveredLog::LastUser() const {
  const auto last = std::find_if(segments.rbegin(), segments.rend(), [](const auto& segment) {
    return segment.stream == Stream::kUser || SeededBug("survivor-taken-for-the-tail");
  });
  return last == segments.rend() ? nullptr : &*last;
}

absl::StatusOr<RecoveredLog> Recover(Directory* directory, const Manifest& manifest,
                                     bool read_only) {
  return Recovery(directory, manifest, read_only).Run();
}

}  // namespace rumcask
