#include "core/check/repair.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "core/check/record_groups.h"
#include "core/check/repair_source.h"
#include "core/check/segment_copy.h"
#include "core/damage.h"
#include "core/format/key_table.h"
#include "core/format/manifest.h"
#include "core/log/database_lock.h"
#include "core/log/live_set.h"
#include "core/log/recovery.h"
#include "core/segment/segment_file.h"
#include "core/system/seeded_bug.h"
#include "core/system/text.h"

namespace rumcask {
namespace {

// More numbers than a thousand openings with unclean ends use up.
constexpr uint64_t kLostOpenings = kSequenceBlock << 12;

using Place = std::pair<std::string, uint64_t>;

class Repairer {
 public:
  Repairer(Directory* from, FileSystem* file_system, std::string_view into)
      : from_(from), file_system_(file_system), into_path_(into) {}

  absl::StatusOr<RepairReport> Run();

 private:
  // The segment that is being copied.
  struct Job {
    const SourceSegment& source;
    SegmentFile* file;
    SegmentCopy* copy;
    // Which records of the part being read are kept; kEverything for the part within the log.
    Beyond part;
  };

  absl::Status CopySegment(const SourceSegment& source);
  absl::StatusOr<bool> CopyByTable(const Job& job);
  absl::Status CopyByScan(Job* job);
  absl::Status CopyPart(const Job& job, uint64_t begin, uint64_t end);
  absl::Status CopyGroup(const Job& job, const RecordGroup& group);
  bool Takes(const Job& job, const RecordGroup& group) const;
  bool BeginsOpening(const Job& job, const RecordGroup& group, uint64_t reached) const;
  absl::Status NoteDamage(const Job& job, const FoundDamage& damage);
  // Copies the record at `offset` if it still verifies. Returns whether it does.
  absl::StatusOr<bool> CopyRecord(const Job& job, uint64_t offset, uint64_t bytes);
  // Writes the record with its number, or with a higher one if the order of the log demands that.
  absl::Status Write(const Job& job, RecordHeader header, std::string_view key,
                     std::string_view value);
  absl::Status WriteLost(const Job& job, RecordHeader header, std::string_view key);
  void LookForGap(const Job& job, uint64_t first);
  absl::Status Keep(const SourceSegment& source, SegmentCopy* copy);
  void Drop(const Job& job, const RecordGroup& group);
  void Damaged(const Job& job, uint64_t offset, uint64_t bytes, std::string cause) {
    report_.damages.push_back({job.file->name(), offset, bytes, std::move(cause)});
  }
  // Reports what was dropped, in one message for everything that was dropped in a row.
  void NoteDropped(const Job& job, uint64_t offset, uint64_t bytes);
  // Where recovery and copying report damage at the same place, keeps copying's report, which is
  // more exact.
  void RemoveDoubleDamages();
  void Saw(uint64_t number) {
    if (number < kEndOfRepairable) highest_seen_ = std::max(highest_seen_, number);
  }
  absl::Status WriteNewManifest();

  Directory* const from_;
  FileSystem* const file_system_;
  const std::string into_path_;
  std::unique_ptr<Directory> into_;
  RepairSource source_;
  RepairReport report_;
  Manifest new_manifest_;
  ChainEnd user_tail_, survivor_tail_;
  // Numbers in the user stream of the old database: of the last record copied, and the highest of
  // any record.
  uint64_t last_ = 0;
  uint64_t highest_seen_ = 0;
  // Numbers in the new database: of the last record of the user stream, and the highest of any
  // record.
  uint64_t last_written_ = 0;
  uint64_t highest_written_ = 0;
  // Whether the segment copied last has a footer, which proves that it ended where it seems to end.
  bool ended_ = true;
};

absl::StatusOr<RepairReport> Repairer::Run() {
  absl::StatusOr<RepairSource> source = ReadRepairSource(from_, &report_);
  if (!source.ok()) return source.status();
  source_ = std::move(*source);
  highest_seen_ = source_.highest_number;
  absl::Status status = file_system_->CreateDirectory(into_path_);
  if (!status.ok()) return status;
  absl::StatusOr<std::unique_ptr<Directory>> into = file_system_->OpenDirectory(into_path_);
  if (!into.ok()) return into.status();
  into_ = std::move(*into);
  for (const SourceSegment& segment : source_.segments) {
    status = CopySegment(segment);
    if (!status.ok()) return status;
  }
  // What is gone because its segments were retired is not missing.
  const uint64_t there = std::max(last_, source_.manifest.gc_horizon);
  if (there < source_.promised) {
    // After an unclean end whole blocks of numbers are skipped, which no record ever had.
    const uint64_t block = source_.promised / kSequenceBlock * kSequenceBlock;
    report_.versions_missing += std::min(source_.promised - there, source_.promised - block + 1);
    report_.damages.push_back(
        {std::string(kManifestName), 0, 0,
         absl::StrCat("the last version found is ", last_, ", but all through ", source_.promised,
                      " were durable")});
  }
  RemoveDoubleDamages();
  status = WriteNewManifest();
  if (!status.ok()) return status;
  return std::move(report_);
}

void Repairer::RemoveDoubleDamages() {
  std::set<Place> known;
  std::vector<Damage> damages;
  for (auto damage = report_.damages.rbegin(); damage != report_.damages.rend(); ++damage) {
    const bool placed = damage->file != kManifestName;
    if (placed && !known.insert({damage->file, damage->offset}).second) continue;
    damages.push_back(std::move(*damage));
  }
  std::reverse(damages.begin(), damages.end());
  report_.damages = std::move(damages);
}

absl::Status Repairer::CopySegment(const SourceSegment& source) {
  absl::StatusOr<std::unique_ptr<SegmentFile>> file =
      SegmentFile::Open(from_, source_.manifest.uuid, source.id);
  if (!file.ok()) return file.status();
  const bool user = source.stream == Stream::kUser;
  SegmentCopy copy(into_.get(), source_.manifest.uuid, source.id, source.stream,
                   user ? user_tail_ : survivor_tail_);
  if (user && !source.header.has_value() && source.trailer.has_value() &&
      source.trailer->first_sequence != 0 && source.trailer->first_sequence <= last_) {
    // It holds copies of older records: remains of a compaction.
    SourceSegment remains = source;
    remains.trailer.reset();
    remains.end = kSegmentHeaderBytes;
    remains.limit = source.trailer->table_offset;
    remains.beyond = Beyond::kPromised;
    Job job{remains, file->get(), &copy, Beyond::kEverything};
    return CopyByScan(&job);
  }
  Job job{source, file->get(), &copy, Beyond::kEverything};
  bool by_table = false;
  if (source.trailer.has_value()) {
    const absl::StatusOr<bool> copied = CopyByTable(job);
    if (!copied.ok()) return copied.status();
    by_table = *copied;
  }
  if (!by_table) {
    absl::Status status = CopyByScan(&job);
    if (!status.ok()) return status;
  }
  if (user) ended_ = source.trailer.has_value();
  if (!source.header.has_value() && (!copy.empty() || source.end > kSegmentHeaderBytes)) {
    ++report_.headers_damaged;
    Damaged(job, 0, kSegmentHeaderBytes, "segment header is damaged");
  }
  return Keep(source, &copy);
}

absl::Status Repairer::Keep(const SourceSegment& source, SegmentCopy* copy) {
  if (copy->empty()) return absl::OkStatus();
  absl::Status status = copy->Finish();
  if (!status.ok()) return status;
  new_manifest_.Append(source.id, source.stream, /*sealed=*/true, copy->chain_end().end);
  (source.stream == Stream::kUser ? user_tail_ : survivor_tail_) = copy->chain_end();
  return status;
}

// ---- records ----

absl::Status Repairer::Write(const Job& job, RecordHeader header, std::string_view key,
                             std::string_view value) {
  if (job.source.stream == Stream::kUser) {
    if (job.copy->empty()) LookForGap(job, header.sequence);
    last_ = std::max(last_, header.sequence);
    if (header.sequence <= last_written_) {
      if (report_.records_renumbered++ == 0) {
        Damaged(job, 0, 0,
                absl::StrCat("has version ", header.sequence, " after version ", last_written_,
                             "; records from there on get higher ones"));
      }
      header.sequence = last_written_ + 1;
    }
    last_written_ = header.sequence;
  }
  highest_written_ = std::max(highest_written_, header.sequence);
  return job.copy->Add(header, key, value);
}

// Where no link names the segment before, a gap shows in the numbers: they continue by one or,
// after an unclean end, with the first number of a block.
void Repairer::LookForGap(const Job& job, uint64_t first) {
  if (!source_.manifest_lost || job.source.header.has_value()) return;
  if (first <= last_ + 1 || first % kSequenceBlock == 0) return;
  ++report_.segments_missing;
  Damaged(job, 0, 0,
          absl::StrCat("versions ", last_ + 1, " to ", first - 1, " before it are missing"));
}

absl::Status Repairer::WriteLost(const Job& job, RecordHeader header, std::string_view key) {
  // The record takes the place of the damaged one, so that an older put of the key does not become
  // current.
  ++report_.values_lost;
  header.kind = RecordKind::kLost;
  return Write(job, header, key, {});
}

absl::StatusOr<bool> Repairer::CopyRecord(const Job& job, uint64_t offset, uint64_t bytes) {
  std::string record;
  RecordHeader header;
  absl::StatusOr<bool> sound = job.file->ReadRecord(offset, bytes, &record, &header);
  if (!sound.ok() || !*sound) return sound;
  if (!header.has_own_sequence()) return true;  // a mark applies to the old files only
  Saw(header.sequence);
  if (header.sequence >= kEndOfRepairable) {
    Drop(job, {true, {{offset, header}}});
    return true;
  }
  ++report_.records_kept;
  absl::Status status =
      Write(job, header, RecordKey(record.data(), header), RecordValue(record.data(), header));
  if (!status.ok()) return status;
  return true;
}

void Repairer::Drop(const Job& job, const RecordGroup& group) {
  if (SeededBug("repair-drops-unseen")) return;
  for (const RecordPlace& record : group.records) {
    ++report_.records_dropped;
    report_.bytes_dropped += record.header.record_bytes();
  }
  if (!group.whole) ++report_.incomplete_batches;
  const RecordPlace& last = group.records.back();
  const uint64_t begin = group.records.front().offset;
  NoteDropped(job, begin, last.offset + last.header.record_bytes() - begin);
}

void Repairer::NoteDropped(const Job& job, uint64_t offset, uint64_t bytes) {
  constexpr char kCause[] = "after the end of the log; not known to have been durable";
  if (!report_.damages.empty()) {
    Damage& last = report_.damages.back();
    if (last.file == job.file->name() && last.cause == kCause && last.offset < offset) {
      last.length = offset + bytes - last.offset;
      return;
    }
  }
  Damaged(job, offset, bytes, kCause);
}

// ---- with a key table ----

absl::StatusOr<bool> Repairer::CopyByTable(const Job& job) {
  const Trailer& trailer = *job.source.trailer;
  std::string table;
  const absl::StatusOr<bool> whole = job.file->ReadKeyTable(trailer, &table);
  if (!whole.ok()) return whole.status();
  if (!*whole) {
    Damaged(job, trailer.table_offset, trailer.table_bytes, "key table is damaged");
    return false;
  }
  KeyTableReader entry(table, trailer);
  while (entry.Next()) {
    const uint64_t offset = entry.offset();
    const uint64_t size = entry.header().record_bytes();
    const absl::StatusOr<bool> copied = CopyRecord(job, offset, size);
    if (!copied.ok()) return copied.status();
    if (*copied) continue;
    const RecordHeader& header = entry.header();
    Damaged(job, offset, size, "damaged record");
    if (!header.has_own_sequence()) continue;
    Saw(header.sequence);
    absl::Status status;
    const bool numbered = header.sequence < kEndOfRepairable;
    if (numbered && header.is_tombstone()) {
      ++report_.deletes_restored;
      status = Write(job, header, entry.key(), {});
    } else if (numbered && header.is_data()) {
      status = WriteLost(job, header, entry.key());
    } else if (numbered && IsKnownKind(header.kind)) {
      // A fence has no content that could be lost.
      if (job.source.stream == Stream::kUser) last_ = std::max(last_, header.sequence);
    } else {
      report_.bytes_unreadable += size;
    }
    if (!status.ok()) return status;
  }
  return true;
}

// ---- without ----

absl::Status Repairer::CopyByScan(Job* job) {
  const SourceSegment& source = job->source;
  const uint64_t begin = kSegmentHeaderBytes;
  const uint64_t end = std::max(begin, std::min(source.end, source.limit));
  absl::Status status = CopyPart(*job, begin, end);
  if (status.ok() && source.beyond != Beyond::kNothing) {
    job->part = source.beyond;
    status = CopyPart(*job, end, source.limit);
  }
  const uint64_t from = std::max(source.file_bytes, begin);
  if (!status.ok() || source.once_end <= from) return status;
  return NoteDamage(*job,
                    {from, source.once_end - from, /*followed=*/true, "the file is too short"});
}

absl::Status Repairer::CopyPart(const Job& job, uint64_t begin, uint64_t end) {
  RecordGrouper grouper;
  const auto on_group = [&](const RecordGroup& group) { return CopyGroup(job, group); };
  absl::Status status = job.file->ForEachRecord(
      begin, end,
      [&](const FoundRecord& record) {
        if (!record.header.has_own_sequence()) return absl::OkStatus();
        Saw(record.header.sequence);
        return grouper.Add(record, on_group);
      },
      [&](const FoundDamage& damage) { return NoteDamage(job, damage); });
  return status.ok() ? grouper.Finish(on_group) : status;
}

// Whether the group begins the records of an opening to which no link leads, with nothing missing
// between `reached` and it.
bool Repairer::BeginsOpening(const Job& job, const RecordGroup& group, uint64_t reached) const {
  if (group.records.front().offset != kSegmentHeaderBytes) return false;
  const uint64_t first = group.first_sequence();
  const std::optional<SegmentHeader>& header = job.source.header;
  if (header.has_value()) {
    // An opening after an unclean end makes everything it found durable, records that number in the
    // header of the segment that it begins, and continues with the first number of a block.
    return first == header->base_sequence && first % kSequenceBlock == 0 &&
           header->durable_sequence <= reached;
  }
  return source_.manifest_lost ? ended_ : first == source_.manifest.next_sequence;
}

bool Repairer::Takes(const Job& job, const RecordGroup& group) const {
  const uint64_t first = group.first_sequence();
  if (group.last_sequence() >= kEndOfRepairable) return false;
  // Within the log only the order of the offsets counts.
  const bool in_log = job.part == Beyond::kEverything;
  if (in_log || SeededBug("repair-takes-everything")) return job.part != Beyond::kRefused;
  if (job.part == Beyond::kRefused || first <= last_) return false;
  const bool promised = job.part == Beyond::kPromised;
  const uint64_t reached = promised ? std::max(last_, source_.promised) : last_;
  return first <= (promised ? source_.promised : 0) || first == reached + 1 ||
         BeginsOpening(job, group, reached);
}

absl::Status Repairer::CopyGroup(const Job& job, const RecordGroup& group) {
  if (!Takes(job, group)) {
    Drop(job, group);
    return absl::OkStatus();
  }
  // The batch at the end of the log may never have been promised.
  const bool promised =
      job.part == Beyond::kEverything || group.last_sequence() <= source_.promised;
  if (!group.whole && !promised && !SeededBug("repair-keeps-half-batches")) {
    Drop(job, group);
    return absl::OkStatus();
  }
  if (!group.whole) ++report_.incomplete_batches;
  for (const RecordPlace& place : group.records) {
    const uint64_t bytes = place.header.record_bytes();
    absl::Status status;
    if (group.whole || SeededBug("repair-keeps-half-batches")) {
      const absl::StatusOr<bool> copied = CopyRecord(job, place.offset, bytes);
      if (copied.ok() && *copied) continue;
      if (copied.ok())
        status =
            NoteDamage(job, {place.offset, bytes, true, "no longer verifies while it is copied"});
      if (!copied.ok()) status = copied.status();
    } else {
      std::string record;
      RecordHeader header;
      const absl::StatusOr<bool> sound =
          job.file->ReadRecord(place.offset, bytes, &record, &header);
      if (!sound.ok()) return sound.status();
      // The key's value is neither this one nor the one before, so the record is written as lost.
      if (*sound) status = WriteLost(job, header, RecordKey(record.data(), header));
      Damaged(job, place.offset, bytes, "part of a batch of which other parts are damaged");
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Repairer::NoteDamage(const Job& job, const FoundDamage& damage) {
  const bool in_log = job.part == Beyond::kEverything;
  uint64_t length = damage.length;
  if (!damage.followed && (!in_log || damage.offset >= job.source.end)) {
    // Zeros at the end are space reserved for later records, unless records are known to have been
    // there.
    const absl::StatusOr<TailTraces> traces = job.file->ReadTraces(damage.offset);
    if (!traces.ok()) return traces.status();
    const uint64_t once = std::max(job.source.once_end, damage.offset) - damage.offset;
    length = std::min(length, std::max(traces->bytes, once));
    if (length == 0) return absl::OkStatus();
  }
  if (in_log || (job.part == Beyond::kPromised && last_ < source_.promised)) {
    report_.bytes_unreadable += length;
    Damaged(job, damage.offset, length, absl::StrCat(damage.cause, "; its key is not known"));
  } else if (!SeededBug("repair-drops-unseen")) {
    report_.bytes_dropped += length;
    NoteDropped(job, damage.offset, length);
  }
  return absl::OkStatus();
}

// ---- MANIFEST ----

absl::Status Repairer::WriteNewManifest() {
  absl::Status status = into_->Sync();
  if (!status.ok()) return status;
  const Manifest& old = source_.manifest;
  new_manifest_.uuid = old.uuid;
  new_manifest_.keystore = old.keystore;
  new_manifest_.keystore_persistent = old.keystore_persistent;
  new_manifest_.max_key_bytes = old.max_key_bytes;
  new_manifest_.highest_id = std::max(new_manifest_.highest_id, source_.highest_id);
  new_manifest_.durable_sequence = highest_written_;
  new_manifest_.gc_horizon = old.gc_horizon;
  uint64_t floor = std::max(highest_seen_, highest_written_) + 1;
  if (old.next_sequence < kEndOfRepairable) floor = std::max(floor, old.next_sequence);
  // Without MANIFEST, whole openings may be missing without a trace.
  if (source_.manifest_lost) floor += kLostOpenings;
  new_manifest_.next_sequence = FirstSequenceAfterLoss(floor);
  if (SeededBug("repair-numbers-restart")) new_manifest_.next_sequence = old.next_sequence;
  new_manifest_.clean = true;
  status = NewIncarnation(&new_manifest_);
  if (status.ok() && new_manifest_.next_sequence <= highest_written_ &&
      !SeededBug("repair-numbers-restart")) {
    status = absl::InternalError(
        absl::StrCat(Text(into_path_), ": would go on with version ", new_manifest_.next_sequence,
                     ", though there is a record with version ", highest_written_));
  }
  if (!status.ok()) return status;
  // MANIFEST comes last, so that a directory with a MANIFEST is a complete database.
  LiveSet live_set(into_.get());
  RecoveredLog repaired;
  repaired.manifest = std::move(new_manifest_);
  live_set.Begin(std::move(repaired), file_system_);
  return live_set.Change([](Manifest* /*first*/) { return absl::OkStatus(); });
}

}  // namespace

absl::StatusOr<RepairReport> Repair(std::string_view path, std::string_view into,
                                    FileSystem* file_system) {
  if (file_system == nullptr) file_system = PosixFileSystem();
  absl::StatusOr<std::unique_ptr<Directory>> from = file_system->OpenDirectory(path);
  if (!from.ok()) return from.status();
  // Checked first, because reading the source may take long.
  const absl::Status there = file_system->OpenDirectory(into).status();
  if (absl::IsInvalidArgument(there)) return there;
  if (there.ok() || absl::IsFailedPrecondition(there)) {
    return absl::AlreadyExistsError(
        absl::StrCat(Text(into), " exists; a repaired database needs a new directory"));
  }
  absl::StatusOr<std::unique_ptr<DatabaseLock>> lock =
      DatabaseLock::Acquire(from->get(), LockKind::kShared, /*create=*/false);
  if (!lock.ok()) return lock.status();
  return Repairer(from->get(), file_system, into).Run();
}

}  // namespace rumcask
