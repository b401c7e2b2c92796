#include "core/check/lost_manifest.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/damage.h"
#include "core/segment/segment_file.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

// A file in which something verifies.
struct Found {
  uint64_t id = 0;
  bool header_valid = false;
  SegmentHeader header;
  // The trailer, if the footer is whole.
  std::optional<Trailer> trailer;

  // Its header is damaged, and it holds copies of records older than those before it.
  bool has_copies = false;
  bool is_survivor() const {
    return has_copies || (header_valid && header.stream == Stream::kSurvivor);
  }
  // `live`: the file is known to be part of the log. `dead`: it is known not to be, because a later
  // segment names an earlier predecessor.
  bool live = false;
  bool dead = false;
};

class Reconstruction {
 public:
  Reconstruction(Directory* directory, std::vector<Damage>* damages)
      : directory_(directory), damages_(damages) {}

  absl::StatusOr<Manifest> Run() {
    absl::Status status = ListFiles();
    if (status.ok()) status = FindUuid();
    if (status.ok()) status = ReadFiles();
    if (!status.ok()) return status;
    FindCopies();
    FollowLinks();
    return MakeManifest();
  }

 private:
  absl::Status ListFiles();
  absl::Status FindUuid();
  // Whether anything in one of the files verifies as part of that database.
  absl::StatusOr<bool> AnythingVerifies(const Uuid& uuid) const;
  absl::Status ReadFiles();
  absl::Status ReadFile(SegmentFile* file);
  void FindCopies();
  void FollowLinks();
  Manifest MakeManifest() const;

  Directory* const directory_;
  std::vector<Damage>* const damages_;
  std::vector<uint64_t> ids_;  // ascending
  Uuid uuid_ = {};
  std::vector<Found> files_;  // ascending ids
};

absl::StatusOr<bool> HasRecord(SegmentFile* file) {
  bool found = false;
  absl::Status status = file->ForEachRecord(
      kSegmentHeaderBytes, file->records_limit(),
      [&found](const FoundRecord&) {
        found = true;
        return absl::CancelledError();  // one record is enough
      },
      [](const FoundDamage&) { return absl::OkStatus(); });
  if (!status.ok() && !found) return status;
  return found;
}

absl::Status Reconstruction::ListFiles() {
  absl::StatusOr<std::vector<std::string>> names = directory_->List();
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (const std::optional<uint64_t> id = ParseSegmentName(name)) ids_.push_back(*id);
  }
  std::sort(ids_.begin(), ids_.end());
  if (!ids_.empty()) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat(directory_->path(), ": no database there"));
}

absl::Status Reconstruction::FindUuid() {
  bool confirmed = false;
  std::vector<Uuid> claimed;
  for (uint64_t id : ids_) {
    const absl::StatusOr<std::optional<Uuid>> uuid = SegmentFile::ReadUuid(directory_, id);
    // A file that is not a regular one does not belong to the database, and one that the device
    // cannot open says nothing.
    if (absl::IsFailedPrecondition(uuid.status()) || absl::IsInternal(uuid.status())) continue;
    if (!uuid.ok()) return uuid.status();
    if (!uuid->has_value()) continue;
    absl::StatusOr<std::unique_ptr<SegmentFile>> file = SegmentFile::Open(directory_, **uuid, id);
    if (!file.ok()) return file.status();
    SegmentHeader header;
    const absl::StatusOr<HeaderState> state = (*file)->ReadHeader(&header);
    if (!state.ok()) return state.status();
    if (*state != HeaderState::kValid && *state != HeaderState::kTooNew) {
      claimed.push_back(**uuid);
      continue;
    }
    if (confirmed && uuid_ != **uuid) {
      return absl::FailedPreconditionError(
          absl::StrCat(directory_->path(), "/", SegmentName(id),
                       ": belongs to another database than the segments before"));
    }
    uuid_ = **uuid;
    confirmed = true;
  }
  if (confirmed) return absl::OkStatus();
  for (const Uuid& uuid : claimed) {
    const absl::StatusOr<bool> verifies = AnythingVerifies(uuid);
    if (!verifies.ok()) return verifies.status();
    uuid_ = uuid;
    if (*verifies) return absl::OkStatus();
  }
  return absl::DataLossError(
      absl::StrCat(directory_->path(), ": MANIFEST and the headers of all segments are damaged; ",
                   "it is not known to which database the segments belong"));
}

absl::StatusOr<bool> Reconstruction::AnythingVerifies(const Uuid& uuid) const {
  for (uint64_t id : ids_) {
    absl::StatusOr<std::unique_ptr<SegmentFile>> file = SegmentFile::Open(directory_, uuid, id);
    if (absl::IsFailedPrecondition(file.status()) || absl::IsInternal(file.status())) continue;
    if (!file.ok()) return file.status();
    absl::StatusOr<bool> found = HasRecord(file->get());
    if (!found.ok() || *found) return found;
  }
  return false;
}

absl::Status Reconstruction::ReadFiles() {
  for (uint64_t id : ids_) {
    absl::StatusOr<std::unique_ptr<SegmentFile>> file = SegmentFile::Open(directory_, uuid_, id);
    if (absl::IsFailedPrecondition(file.status())) continue;
    if (absl::IsInternal(file.status())) {
      damages_->push_back({SegmentName(id), 0, 0, std::string(file.status().message())});
      continue;
    }
    absl::Status status = file.ok() ? ReadFile(file->get()) : file.status();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Reconstruction::ReadFile(SegmentFile* file) {
  Found found;
  found.id = file->id();
  const absl::StatusOr<HeaderState> state = file->ReadHeader(&found.header);
  if (!state.ok()) return state.status();
  if (*state == HeaderState::kUnborn) return absl::OkStatus();
  if (*state == HeaderState::kTooNew) {
    return absl::FailedPreconditionError(absl::StrCat(directory_->path(), "/", file->name(),
                                                      ": needs a newer version of this program"));
  }
  found.header_valid = *state == HeaderState::kValid;
  const absl::StatusOr<std::optional<Trailer>> trailer = file->ReadTrailer();
  if (!trailer.ok()) return trailer.status();
  if (trailer->has_value()) {
    std::string table;
    const absl::StatusOr<bool> whole = file->ReadKeyTable(**trailer, &table);
    if (!whole.ok()) return whole.status();
    if (*whole) found.trailer = **trailer;
  }
  if (!found.header_valid && !found.trailer.has_value()) {
    const absl::StatusOr<bool> has_record = HasRecord(file);
    if (!has_record.ok()) return has_record.status();
    if (!*has_record) {
      damages_->push_back({file->name(), 0, file->size(), "nothing in it verifies"});
      return absl::OkStatus();
    }
  }
  files_.push_back(std::move(found));
  return absl::OkStatus();
}

// Numbers grow from one of the user's segments to the next.
void Reconstruction::FindCopies() {
  uint64_t reached = 0;
  for (Found& file : files_) {
    if (file.is_survivor() || !file.trailer.has_value()) continue;
    const uint64_t first = file.trailer->first_sequence;
    file.has_copies = !file.header_valid && first != 0 && first <= reached;
    if (!file.has_copies) reached = std::max(reached, file.trailer->last_sequence);
  }
}

void Reconstruction::FollowLinks() {
  bool later_has_footer = false;
  uint64_t earliest = UINT64_MAX;
  std::set<uint64_t> named;
  for (auto file = files_.rbegin(); file != files_.rend(); ++file) {
    if (file->is_survivor()) continue;
    file->dead = earliest < file->id;
    if (file->dead) continue;
    later_has_footer = later_has_footer || file->trailer.has_value();
    file->live = later_has_footer && (file->trailer.has_value() || named.count(file->id) > 0);
    if (!file->header_valid) continue;
    earliest = std::min(earliest, file->header.predecessor_id);
    named.insert(file->header.predecessor_id);
  }
}

Manifest Reconstruction::MakeManifest() const {
  Manifest manifest;
  manifest.keystore = "hash";
  manifest.uuid = uuid_;
  uint64_t last = 0;
  for (const Found& file : files_) {
    if (file.live) last = file.id;
  }
  for (const Found& file : files_) {
    if (file.is_survivor()) {
      manifest.Append(file.id, Stream::kSurvivor, /*sealed=*/true, 0);
    } else if (file.live) {
      manifest.Append(file.id, Stream::kUser, /*sealed=*/true, 0);
      if (file.trailer.has_value()) {
        manifest.durable_sequence =
            std::max(manifest.durable_sequence, file.trailer->last_sequence);
      }
    } else if (!file.dead && file.id > last && !SeededBug("unsealed-lost-with-manifest")) {
      manifest.Append(file.id, Stream::kUser, /*sealed=*/false, 0);
    }
  }
  manifest.highest_id = ids_.back();
  return manifest;
}

}  // namespace

absl::StatusOr<Manifest> ReconstructManifest(Directory* directory, std::vector<Damage>* damages) {
  return Reconstruction(directory, damages).Run();
}

}  // namespace rumcask
