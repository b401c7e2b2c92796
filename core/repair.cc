#include "core/repair.h"

#include <sys/random.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "core/database_lock.h"
#include "core/key_table.h"
#include "core/manifest.h"
#include "core/recovery.h"
#include "core/segment_file.h"
#include "core/segment_sealer.h"
#include "core/text.h"

namespace rumcask {
namespace {

// What a segment's header says about the one before.
struct ChainEnd {
  uint64_t id = 0;
  uint64_t end = 0;
  uint64_t checksum = 0;
};

// Writes one segment of the new database, under the id it had.
class SegmentCopy {
 public:
  // It follows `predecessor` in the chain.
  SegmentCopy(Directory* into, const Uuid& uuid, uint64_t id, const ChainEnd& predecessor)
      : into_(into), seed_(SegmentSeed(uuid, id)) {
    header_.uuid = uuid;
    header_.id = id;
    header_.predecessor_id = predecessor.id;
    header_.predecessor_end = predecessor.end;
    header_.predecessor_checksum = predecessor.checksum;
  }

  absl::Status Add(RecordHeader header, std::string_view key, std::string_view value) {
    // A batch whose other parts may be gone is no batch.
    header.part = BatchPart::kNone;
    header.value_bytes = static_cast<uint32_t>(value.size());
    if (file_ == nullptr) {
      absl::Status status = Begin(header);
      if (!status.ok()) return status;
    }
    std::string record(header.record_bytes(), '\0');
    EncodeRecordHeader(record.data(), header, seed_ + end_, InnerChecksum(key, value));
    std::copy(key.begin(), key.end(), record.begin() + kRecordHeaderBytes);
    std::copy(value.begin(), value.end(),
              record.begin() + static_cast<ptrdiff_t>(kRecordHeaderBytes + key.size()));
    last_checksum_ = LoadU64(record.data());
    buffer_ += record;
    end_ += record.size();
    return buffer_.size() < kBuffer ? absl::OkStatus() : Flush();
  }

  bool empty() const { return file_ == nullptr; }
  ChainEnd chain_end() const { return {header_.id, end_, last_checksum_}; }

  absl::Status Finish() {
    absl::Status status = Flush();
    if (!status.ok()) return status;
    absl::StatusOr<std::optional<Trailer>> trailer = SealSegmentFile(file_.get(), seed_, end_);
    if (!trailer.ok() || trailer->has_value()) return trailer.status();
    return absl::ResourceExhaustedError(absl::StrCat(file_->name(), ": no room for the footer"));
  }

 private:
  static constexpr size_t kBuffer = size_t{1} << 20;

  absl::Status Begin(const RecordHeader& first) {
    absl::StatusOr<std::unique_ptr<File>> file =
        into_->Open(SegmentName(header_.id), OpenMode::kCreateNew);
    if (!file.ok()) return file.status();
    file_ = std::move(*file);
    header_.base_sequence = first.sequence;
    buffer_.resize(kSegmentHeaderBytes);
    EncodeSegmentHeader(header_, buffer_.data());
    return absl::OkStatus();
  }

  absl::Status Flush() {
    absl::Status status = file_->Write(written_, buffer_);
    written_ += buffer_.size();
    buffer_.clear();
    return status;
  }

  Directory* const into_;
  const uint64_t seed_;
  SegmentHeader header_;
  std::unique_ptr<File> file_;
  std::string buffer_;
  uint64_t written_ = 0;
  uint64_t end_ = kSegmentHeaderBytes;
  uint64_t last_checksum_ = 0;
};

class Repairer {
 public:
  Repairer(Directory* from, FileSystem* file_system, std::string_view into)
      : from_(from), file_system_(file_system), into_path_(into) {}

  absl::StatusOr<RepairReport> Run() {
    absl::Status status = ReadSource();
    if (status.ok()) status = file_system_->CreateDirectory(into_path_);
    if (!status.ok()) return status;
    absl::StatusOr<std::unique_ptr<Directory>> into = file_system_->OpenDirectory(into_path_);
    if (!into.ok()) return into.status();
    into_ = std::move(*into);
    for (const RecoveredSegment& segment : log_.segments) {
      status = CopySegment(segment);
      if (!status.ok()) return status;
    }
    status = CopyDropped();
    if (status.ok()) status = WriteNewManifest();
    if (!status.ok()) return status;
    return std::move(report_);
  }

 private:
  absl::Status ReadSource();
  absl::StatusOr<Manifest> ReconstructManifest();
  absl::Status CopySegment(const RecoveredSegment& segment);
  absl::StatusOr<bool> CopyByTable(SegmentFile* file, const RecoveredSegment& segment,
                                   SegmentCopy* copy);
  absl::Status CopyByScan(SegmentFile* file, uint64_t end, bool end_known, SegmentCopy* copy);
  // Copies the record at `offset`, unless it no longer verifies; tells whether it does.
  absl::StatusOr<bool> CopyRecord(SegmentFile* file, uint64_t offset, uint64_t bytes,
                                  SegmentCopy* copy);
  absl::Status CopyDropped();
  absl::Status Keep(uint64_t id, SegmentCopy* copy);
  absl::Status WriteNewManifest();

  Directory* const from_;
  FileSystem* const file_system_;
  const std::string into_path_;
  std::unique_ptr<Directory> into_;
  Manifest manifest_;
  RecoveredLog log_;
  // Nothing above this was ever promised, nor is it part of the recovered prefix.
  uint64_t highest_promised_ = 0;
  Manifest new_manifest_;
  ChainEnd tail_;
  RepairReport report_;
};

absl::Status Repairer::ReadSource() {
  absl::StatusOr<DecodedManifest> decoded = ReadManifest(from_);
  if (decoded.ok()) {
    manifest_ = decoded->manifest;
  } else if (absl::IsNotFound(decoded.status()) || absl::IsDataLoss(decoded.status())) {
    report_.damages.push_back(
        {std::string(kManifestName), 0, 0, std::string(decoded.status().message())});
    absl::StatusOr<Manifest> made = ReconstructManifest();
    if (!made.ok()) return made.status();
    manifest_ = std::move(*made);
  } else {
    return decoded.status();
  }
  absl::StatusOr<RecoveredLog> log = Recover(from_, manifest_, /*read_only=*/true);
  if (!log.ok()) return log.status();
  log_ = std::move(*log);
  report_.damages.insert(report_.damages.end(), log_.damages.begin(), log_.damages.end());
  highest_promised_ = std::max(log_.last_sequence, log_.durable_sequence);
  return absl::OkStatus();
}

// Without MANIFEST every segment with a sound header is taken for live. A retired one that came
// back after a power cut would be too: that is what losing MANIFEST costs.
absl::StatusOr<Manifest> Repairer::ReconstructManifest() {
  Manifest manifest;
  manifest.keystore = "hash";
  absl::StatusOr<std::vector<std::string>> names = from_->List();
  if (!names.ok()) return names.status();
  std::sort(names->begin(), names->end());
  bool found = false;
  for (const std::string& name : *names) {
    const std::optional<uint64_t> id = ParseSegmentName(name);
    if (!id.has_value()) continue;
    const absl::StatusOr<std::optional<Uuid>> named = SegmentFile::ReadUuid(from_, *id);
    // What is no regular file is none of ours.
    if (absl::IsFailedPrecondition(named.status())) continue;
    if (!named.ok()) return named.status();
    const std::optional<Uuid>& uuid = *named;
    SegmentHeader header;
    HeaderState state = HeaderState::kInvalid;
    if (uuid.has_value()) {
      absl::StatusOr<std::unique_ptr<SegmentFile>> file = SegmentFile::Open(from_, *uuid, *id);
      if (!file.ok()) return file.status();
      const absl::StatusOr<HeaderState> read = (*file)->ReadHeader(&header);
      if (!read.ok()) return read.status();
      state = *read;
    }
    if (state != HeaderState::kValid) {
      report_.damages.push_back({name, 0, kSegmentHeaderBytes, "segment header is damaged"});
      continue;
    }
    if (found && manifest.uuid != *uuid) {
      return absl::FailedPreconditionError(absl::StrCat(
          from_->path(), "/", name, ": belongs to another database than the segments before"));
    }
    manifest.uuid = *uuid;
    found = true;
    manifest.Append(*id, header.stream, /*sealed=*/true, 0);
  }
  if (!found) return absl::NotFoundError(absl::StrCat(from_->path(), ": no database there"));
  return manifest;
}

absl::StatusOr<bool> Repairer::CopyRecord(SegmentFile* file, uint64_t offset, uint64_t bytes,
                                          SegmentCopy* copy) {
  std::string record;
  RecordHeader header;
  const absl::StatusOr<bool> sound = file->ReadRecord(offset, bytes, &record, &header);
  if (!sound.ok() || !*sound) return sound;
  if (!header.has_number()) return true;  // a mark vouches for the old files only
  ++report_.records_kept;
  absl::Status status =
      copy->Add(header, RecordKey(record.data(), header), RecordValue(record.data(), header));
  if (!status.ok()) return status;
  return true;
}

absl::StatusOr<bool> Repairer::CopyByTable(SegmentFile* file, const RecoveredSegment& segment,
                                           SegmentCopy* copy) {
  std::string table;
  const absl::StatusOr<bool> whole = file->ReadKeyTable(segment.trailer, &table);
  if (!whole.ok() || !*whole) return whole;
  KeyTableReader entry(table, segment.trailer);
  while (entry.Next()) {
    const uint64_t offset = entry.offset();
    const uint64_t size = entry.header().record_bytes();
    const absl::StatusOr<bool> copied = CopyRecord(file, offset, size, copy);
    if (!copied.ok()) return copied.status();
    if (*copied) continue;
    report_.damages.push_back({SegmentName(segment.id), offset, size, "damaged record"});
    RecordHeader header = entry.header();
    absl::Status status;
    if (header.kind == RecordKind::kDelete) {
      ++report_.deletes_restored;
      status = copy->Add(header, entry.key(), {});
    } else if (header.kind == RecordKind::kPut || header.kind == RecordKind::kLost) {
      // An older put of the key must not become current: its place is taken.
      ++report_.values_lost;
      header.kind = RecordKind::kLost;
      status = copy->Add(header, entry.key(), {});
    }
    if (!status.ok()) return status;
  }
  return true;
}

absl::Status Repairer::CopyByScan(SegmentFile* file, uint64_t end, bool end_known,
                                  SegmentCopy* copy) {
  struct Part {
    uint64_t offset;
    uint64_t bytes;
  };
  std::vector<Part> batch;  // parts of a batch whose end has not been seen
  const auto damaged = [&](uint64_t offset, uint64_t length, std::string cause) {
    report_.bytes_unreadable += length;
    report_.damages.push_back({file->name(), offset, length, std::move(cause)});
  };
  return file->ForEachRecord(
      kSegmentHeaderBytes, end,
      [&](const FoundRecord& record) {
        const RecordHeader& header = record.header;
        // Beyond what was promised lie the traces of failed, cut and torn writes.
        if (!header.has_number() || header.sequence > highest_promised_) return absl::OkStatus();
        if (header.part == BatchPart::kFirst) batch.clear();
        batch.push_back({record.offset, header.record_bytes()});
        if (header.part != BatchPart::kNone && header.part != BatchPart::kLast) {
          return absl::OkStatus();
        }
        for (const Part& part : batch) {
          const absl::StatusOr<bool> copied = CopyRecord(file, part.offset, part.bytes, copy);
          if (!copied.ok()) return copied.status();
          if (!*copied) damaged(part.offset, part.bytes, "record no longer verifies");
        }
        batch.clear();
        return absl::OkStatus();
      },
      [&](const FoundDamage& damage) {
        if (damage.followed || end_known) {
          damaged(damage.offset, damage.length,
                  absl::StrCat(damage.cause, "; nothing tells its key"));
        }
        return absl::OkStatus();
      });
}

absl::Status Repairer::Keep(uint64_t id, SegmentCopy* copy) {
  if (copy->empty()) return absl::OkStatus();
  absl::Status status = copy->Finish();
  if (!status.ok()) return status;
  new_manifest_.Append(id, Stream::kUser, /*sealed=*/true, 0);
  tail_ = copy->chain_end();
  return status;
}

absl::Status Repairer::CopySegment(const RecoveredSegment& segment) {
  absl::StatusOr<std::unique_ptr<SegmentFile>> file =
      SegmentFile::Open(from_, manifest_.uuid, segment.id);
  if (!file.ok()) return file.status();
  SegmentCopy copy(into_.get(), manifest_.uuid, segment.id, tail_);
  if (segment.has_trailer) {
    absl::StatusOr<bool> copied = CopyByTable(file->get(), segment, &copy);
    if (!copied.ok()) return copied.status();
    if (*copied) return Keep(segment.id, &copy);
    report_.damages.push_back({SegmentName(segment.id), segment.trailer.table_offset,
                               segment.trailer.table_bytes, "key table is damaged"});
  }
  // If something promised is missing, it may lie beyond the place where recovery had to stop.
  const bool searches_on = !segment.listed_sealed && log_.last_sequence < log_.durable_sequence;
  const uint64_t end = searches_on ? (*file)->records_limit() : segment.end;
  absl::Status status = CopyByScan(file->get(), end, /*end_known=*/!searches_on, &copy);
  return status.ok() ? Keep(segment.id, &copy) : status;
}

absl::Status Repairer::CopyDropped() {
  if (log_.last_sequence >= log_.durable_sequence) return absl::OkStatus();
  for (uint64_t id : log_.dropped) {
    absl::StatusOr<std::unique_ptr<SegmentFile>> file =
        SegmentFile::Open(from_, manifest_.uuid, id);
    if (!file.ok()) return file.status();
    SegmentCopy copy(into_.get(), manifest_.uuid, id, tail_);
    absl::Status status =
        CopyByScan(file->get(), (*file)->records_limit(), /*end_known=*/false, &copy);
    if (status.ok()) status = Keep(id, &copy);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Repairer::WriteNewManifest() {
  absl::Status status = into_->Sync();
  if (!status.ok()) return status;
  new_manifest_.uuid = manifest_.uuid;
  new_manifest_.keystore = manifest_.keystore;
  new_manifest_.keystore_persistent = manifest_.keystore_persistent;
  new_manifest_.max_key_bytes = manifest_.max_key_bytes;
  new_manifest_.highest_id = std::max(new_manifest_.highest_id, log_.highest_id);
  new_manifest_.durable_sequence = highest_promised_;
  new_manifest_.gc_horizon = manifest_.gc_horizon;
  new_manifest_.next_sequence = log_.next_sequence;
  new_manifest_.clean = true;
  if (::getrandom(&new_manifest_.incarnation, sizeof(new_manifest_.incarnation), 0) !=
      static_cast<ssize_t>(sizeof(new_manifest_.incarnation))) {
    return ErrnoStatus("getrandom", "", errno);
  }
  // MANIFEST last: whoever finds it finds a database that is there to stay.
  status = file_system_->SyncParent(into_path_);
  return status.ok() ? WriteManifest(into_.get(), new_manifest_) : status;
}

}  // namespace

absl::StatusOr<RepairReport> Repair(std::string_view path, std::string_view into,
                                    FileSystem* file_system) {
  if (file_system == nullptr) file_system = PosixFileSystem();
  absl::StatusOr<std::unique_ptr<Directory>> from = file_system->OpenDirectory(path);
  if (!from.ok()) return from.status();
  absl::StatusOr<std::unique_ptr<DatabaseLock>> lock =
      DatabaseLock::Acquire(from->get(), LockKind::kShared, /*create=*/false);
  if (!lock.ok()) return lock.status();
  return Repairer(from->get(), file_system, into).Run();
}

}  // namespace rumcask
