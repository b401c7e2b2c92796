#include "core/check/verify.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "core/check/verify_log.h"
#include "core/damage.h"
#include "core/format/fuse_filter.h"
#include "core/format/key_table.h"
#include "core/format/manifest.h"
#include "core/log/database_lock.h"
#include "core/log/recovery.h"
#include "core/segment/segment_file.h"
#include "core/system/text.h"

namespace rumcask {
namespace {

bool SameRecord(KeyTableReader* entry, const RecordHeader& header, std::string_view key,
                uint64_t offset) {
  return entry->offset() == offset && DescribeSameRecord(entry->header(), header) &&
         entry->key() == key;
}

// Compares a segment's footer with its records, one by one.
class FooterCheck {
 public:
  FooterCheck(const SegmentFile& file, VerifyReport* report)
      : name_(file.name()), file_bytes_(file.size()), report_(report) {}

  absl::Status Read(SegmentFile* file) {
    const absl::StatusOr<std::optional<Trailer>> trailer = file->ReadTrailer();
    if (!trailer.ok()) return trailer.status();
    if (!trailer->has_value()) {
      const uint64_t at = file_bytes_ < kTrailerBytes ? 0 : file_bytes_ - kTrailerBytes;
      Add(at, file_bytes_ - at, "footer of a sealed segment is damaged");
      return absl::OkStatus();
    }
    trailer_ = **trailer;
    const absl::StatusOr<bool> whole = file->ReadKeyTable(trailer_, &table_);
    if (!whole.ok()) return whole.status();
    if (!*whole) {
      Add(trailer_.table_offset, trailer_.table_bytes, "key table is damaged");
      return absl::OkStatus();
    }
    absl::Status status = CheckZeros(file, trailer_.table_offset + trailer_.table_bytes,
                                     trailer_.filter_offset(), "key table");
    if (!status.ok()) return status;
    absl::StatusOr<std::optional<std::string>> filter = file->ReadFilter(trailer_);
    if (!filter.ok()) return filter.status();
    bool sound = filter->has_value();
    if (sound && trailer_.filter_kind == FilterKind::kFuse16) {
      filter_bytes_ = **std::move(filter);
      filter_ = FuseFilter::Parse(filter_bytes_);
      sound = filter_.has_value();
    }
    if (!sound) {
      Add(trailer_.filter_offset(), trailer_.filter_bytes, "filter of keys is damaged");
    }
    status = CheckZeros(file, trailer_.filter_offset() + trailer_.filter_bytes, trailer_.offset(),
                        "filter of keys");
    if (!status.ok()) return status;
    entry_ = std::make_unique<KeyTableReader>(table_, trailer_);
    return absl::OkStatus();
  }

  bool usable() const { return entry_ != nullptr; }
  uint64_t records_end() const { return trailer_.table_offset; }

  // Compares the next record that verifies. Entries of damaged records before it are skipped.
  void Record(const RecordHeader& header, std::string_view key, uint64_t offset) {
    if (!usable()) return;
    while (!ended_ && (!at_entry_ || entry_->offset() < offset)) {
      at_entry_ = entry_->Next();
      ended_ = !at_entry_;
    }
    if (!at_entry_ || !SameRecord(entry_.get(), header, key, offset)) {
      Add(offset, header.record_bytes(), "record differs from its key-table entry");
    }
    if (filter_.has_value() && header.holds_key() && !filter_->MayContain(FuseFilterHash(key))) {
      Add(offset, header.record_bytes(), "the segment's filter lacks the record's key");
    }
    builder_.Add(header, key);
  }

  void Finish(bool all_records_valid) {
    if (!usable()) return;
    if (!all_records_valid) return;
    const Trailer& counted = builder_.trailer();
    if (counted.records != trailer_.records || counted.puts != trailer_.puts ||
        counted.deletes != trailer_.deletes ||
        (counted.delete_bytes != trailer_.delete_bytes && !trailer_.is_early) ||
        counted.first_sequence != trailer_.first_sequence ||
        counted.last_sequence != trailer_.last_sequence ||
        counted.last_checksum != trailer_.last_checksum) {
      Add(trailer_.offset(), file_bytes_ - trailer_.offset(),
          "the footer's counts differ from those of the records");
    }
  }

 private:
  void Add(uint64_t offset, uint64_t length, std::string cause) {
    report_->damages.push_back({name_, offset, length, std::move(cause)});
  }

  absl::Status CheckZeros(SegmentFile* file, uint64_t begin, uint64_t end, const char* after) {
    std::string padding(end - begin, '\0');
    const absl::StatusOr<size_t> got = file->bytes()->ReadUpTo(begin, padding.data(), end - begin);
    if (!got.ok()) return got.status();
    for (size_t i = 0; i < *got; ++i) {
      if (padding[i] != 0) {
        Add(begin + i, 1, absl::StrCat("padding after the ", after, " not zero"));
      }
    }
    return absl::OkStatus();
  }

  const std::string name_;
  const uint64_t file_bytes_;
  VerifyReport* const report_;
  Trailer trailer_;
  std::string table_;
  std::string filter_bytes_;
  std::optional<FuseFilter> filter_;
  std::unique_ptr<KeyTableReader> entry_;
  bool at_entry_ = false;
  bool ended_ = false;
  KeyTableBuilder builder_;
};

}  // namespace

void NumberAudit::BeginSegment(uint64_t id, Stream stream) {
  id_ = id;
  stream_ = stream;
  told_ = false;
  last_survivor_ = 0;
  const ManifestRange* const range = manifest_ == nullptr ? nullptr : manifest_->Find(id);
  vouched_end_ = range == nullptr ? 0 : range->sealed ? UINT64_MAX : range->required_end;
}

void NumberAudit::Record(const RecordHeader& header, uint64_t offset) {
  if (!header.has_own_sequence()) return;
  const uint64_t number = header.sequence;
  if (offset < vouched_end_ && number >= manifest_->next_sequence) {
    Tell(header, offset,
         absl::StrCat("has version ", number, ", but MANIFEST gives out versions from ",
                      manifest_->next_sequence, " on"));
  } else if (offset < vouched_end_ && number > manifest_->durable_sequence) {
    Tell(header, offset,
         absl::StrCat("has version ", number, ", but MANIFEST knows of none above ",
                      manifest_->durable_sequence));
  }
  uint64_t& last = stream_ == Stream::kUser ? last_ : last_survivor_;
  if (stream_ == Stream::kSurvivor && header.part != BatchPart::kNone) {
    Tell(header, offset, "is a part of a batch, but stands in a survivor");
  }
  if (number <= last) {
    Tell(header, offset, absl::StrCat("has version ", number, " after version ", last));
  }
  last = std::max(last, number);
}

void NumberAudit::Tell(const RecordHeader& header, uint64_t offset, std::string cause) {
  if (!std::exchange(told_, true)) {
    report_->damages.push_back({SegmentName(id_), offset, header.record_bytes(), std::move(cause)});
  }
}

absl::Status VerifySegment(Directory* directory, const Uuid& uuid, uint64_t id, uint64_t end,
                           bool has_footer, VerifyReport* report, const RecordVisitor& visit) {
  absl::StatusOr<std::unique_ptr<SegmentFile>> opened = SegmentFile::Open(directory, uuid, id);
  if (absl::IsInternal(opened.status())) {
    // The device cannot open this file, which says nothing about the others.
    report->damages.push_back({SegmentName(id), 0, 0, std::string(opened.status().message())});
    return absl::OkStatus();
  }
  if (!opened.ok()) return opened.status();
  SegmentFile* const file = opened->get();
  ++report->segments;
  report->bytes += file->size();
  const auto add = [&](uint64_t offset, uint64_t length, const char* cause) {
    report->damages.push_back({file->name(), offset, length, cause});
  };
  SegmentHeader header;
  const absl::StatusOr<HeaderState> state = file->ReadHeader(&header);
  if (!state.ok()) return state.status();
  if (*state != HeaderState::kValid) add(0, kSegmentHeaderBytes, "segment header is damaged");

  FooterCheck footer(*file, report);
  bool end_known = true;
  if (has_footer) {
    absl::Status status = footer.Read(file);
    if (!status.ok()) return status;
    end_known = footer.usable();
    end = end_known ? footer.records_end() : file->records_limit();
  } else if (end > file->size()) {
    // A segment that is sealed meanwhile is cut after its records, never shorter.
    add(file->size(), end - file->size(), "segment is too short");
    end = file->size();
  }
  bool all_valid = true;
  absl::Status status = file->ForEachRecord(
      kSegmentHeaderBytes, end,
      [&](const FoundRecord& record) {
        ++report->records;
        if (record.header.is_readable()) ++report->puts;
        if (record.header.is_tombstone()) ++report->deletes;
        if (!record.padding_is_zero) {
          add(record.end() - 7, 7, "padding after a record is not zero (harmless)");
        }
        footer.Record(record.header, record.key, record.offset);
        visit(record.header, record.key, record.offset);
        return absl::OkStatus();
      },
      [&](const FoundDamage& damage) {
        // Where the end of the records is not known, damage that no record follows may just be the
        // remains of the footer.
        if (!damage.followed && !end_known) return absl::OkStatus();
        all_valid = false;
        add(damage.offset, damage.length, damage.cause);
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  footer.Finish(all_valid);
  if (!has_footer) report->unused_bytes += file->size() - end;
  return absl::OkStatus();
}

absl::Status VerifyManifest(Directory* directory, VerifyReport* report) {
  absl::StatusOr<DecodedManifest> manifest = ReadManifest(directory);
  if (absl::IsDataLoss(manifest.status()) || absl::IsInternal(manifest.status())) {
    report->damages.push_back(
        {std::string(kManifestName), 0, 0, std::string(manifest.status().message())});
    return absl::OkStatus();
  }
  if (absl::IsNotFound(manifest.status())) {
    absl::StatusOr<std::vector<std::string>> names = directory->List();
    if (!names.ok()) return names.status();
    const bool has_segments =
        std::any_of(names->begin(), names->end(),
                    [](const std::string& name) { return ParseSegmentName(name).has_value(); });
    // Without segments there is either no database or one whose creation was interrupted.
    if (!has_segments) return manifest.status();
    report->damages.push_back(
        {std::string(kManifestName), 0, 0, "missing, though there are segments"});
    return absl::OkStatus();
  }
  if (!manifest.ok()) return manifest.status();
  if (manifest->damaged_copies > 0) {
    report->damages.push_back({std::string(kManifestName), 0, 0,
                               "one of its two copies is damaged (the other one is used)"});
  }
  if (manifest->stray_bytes > 0) {
    report->damages.push_back({std::string(kManifestName), 0, manifest->stray_bytes,
                               "bytes after its two copies (harmless)"});
  }
  return absl::OkStatus();
}

absl::StatusOr<VerifyReport> VerifyFiles(std::string_view path, FileSystem* file_system) {
  if (file_system == nullptr) file_system = PosixFileSystem();
  absl::StatusOr<std::unique_ptr<Directory>> directory = file_system->OpenDirectory(path);
  if (!directory.ok()) return directory.status();
  absl::StatusOr<std::unique_ptr<DatabaseLock>> lock =
      DatabaseLock::Acquire(directory->get(), LockKind::kShared, /*create=*/false);
  if (!lock.ok()) return lock.status();

  VerifyReport report;
  absl::Status status = VerifyManifest(directory->get(), &report);
  if (absl::IsNotFound(status)) {
    return absl::NotFoundError(absl::StrCat(Text(path), ": no database there (no MANIFEST)"));
  }
  if (!status.ok()) return status;
  absl::StatusOr<DecodedManifest> manifest = ReadManifest(directory->get());
  // Without MANIFEST it is not known which files belong together.
  if (!manifest.ok()) return report;
  const Uuid uuid = manifest->manifest.uuid;
  absl::StatusOr<RecoveredLog> log =
      Recover(directory->get(), manifest->manifest, /*read_only=*/true);
  if (!log.ok()) return log.status();

  // A key is live if its newest record is a put or a lost one. Keys are identified by their digest:
  // two keys with the same one are as likely as two equal random 128-bit numbers.
  struct Newest {
    uint64_t sequence = 0;
    bool live = false;
  };
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, Newest> newest;
  NumberAudit numbers(&manifest->manifest, &report);
  const RecordVisitor visit = [&](const RecordHeader& header, std::string_view key,
                                  uint64_t offset) {
    numbers.Record(header, offset);
    if (!header.is_data()) return;
    const XXH128_hash_t digest = XXH3_128bits(key.data(), key.size());
    Newest& entry = newest[{digest.low64, digest.high64}];
    if (header.sequence >= entry.sequence) {
      entry = {header.sequence, !header.is_tombstone()};
    }
  };
  for (const RecoveredSegment& segment : log->segments) {
    numbers.BeginSegment(segment.id, segment.stream);
    status = VerifySegment(directory->get(), uuid, segment.id, segment.end,
                           segment.listed_sealed || segment.has_footer, &report, visit);
    if (!status.ok()) return status;
  }
  for (const auto& [digest, entry] : newest) {
    if (entry.live) ++report.keys;
  }
  report.unused_bytes += log->dropped_file_bytes;
  // Adds what recovery reports about the chain, unless reading the records has reported it already.
  for (Damage& damage : log->damages) {
    const bool told =
        std::any_of(report.damages.begin(), report.damages.end(), [&](const Damage& known) {
          return known.file == damage.file && known.offset == damage.offset;
        });
    if (!told) report.damages.push_back(std::move(damage));
  }
  return report;
}

}  // namespace rumcask
