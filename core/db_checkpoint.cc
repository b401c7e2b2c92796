// Checkpoints.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/db.h"
#include "core/format/manifest.h"
#include "core/log/database_lock.h"
#include "core/segment/segment_footer.h"
#include "core/store.h"
#include "core/system/file_system.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

constexpr uint64_t kPiece = uint64_t{1} << 20;

// Copies a state's segments into an empty directory.
class CheckpointWriter {
 public:
  CheckpointWriter(Directory* from, Directory* to) : from_(from), to_(to) {}
  // Removes what was made, unless it is complete.
  ~CheckpointWriter() {
    if (complete_) return;
    // First, so that what is left is never a database that lacks segments.
    (void)to_->Unlink(kManifestName);
    (void)to_->Unlink(kManifestNextName);
    for (const std::string& name : made_) (void)to_->Unlink(name);
  }
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  // `path` is that of the directory.
  absl::Status Write(Log::Captured state, FileSystem* file_system, std::string_view path) {
    std::vector<LiveSet::LiveSegment> live;
    for (const Log::Captured::Piece& piece : state.pieces) {
      // Nothing was written into it yet.
      if (!piece.sealed && piece.end <= kSegmentHeaderBytes) continue;
      const bool links = piece.sealed || SeededBug("unsealed-linked");
      absl::Status status = links ? LinkOrCopy(piece) : CopyAndSeal(piece, state.manifest.uuid);
      if (!status.ok()) return status;
      live.push_back({piece.segment->id(), piece.segment->stream(), /*sealed=*/true, piece.end});
    }
    // Before MANIFEST says that they are there.
    absl::Status status = to_->Sync();
    if (status.ok()) status = file_system->SyncParent(path);
    if (status.ok()) {
      status = LiveSet::WriteCopy(to_, std::move(state.manifest), live, state.highest_id,
                                  state.last_sequence, state.next_sequence);
    }
    complete_ = status.ok();
    return status;
  }

 private:
  absl::Status LinkOrCopy(const Log::Captured::Piece& piece) {
    const std::string name = piece.segment->name();
    absl::Status status = from_->LinkInto(name, to_);
    if (status.ok()) made_.push_back(name);
    if (!absl::IsUnimplemented(status)) return status;
    absl::StatusOr<std::unique_ptr<File>> source = from_->Open(name, OpenMode::kReadOnly);
    if (!source.ok()) return source.status();
    const absl::StatusOr<uint64_t> size = (*source)->Size();
    if (!size.ok()) return size.status();
    absl::StatusOr<std::unique_ptr<File>> copy = Make(name);
    if (!copy.ok()) return copy.status();
    status = Copy(**source, copy->get(), *size);
    return status.ok() ? (*copy)->Sync() : status;
  }

  // The copy ends where the state ends and gets a footer of its own, so that nothing that is
  // written later belongs to it, and so that it is never linked while it still grows.
  absl::Status CopyAndSeal(const Log::Captured::Piece& piece, const Uuid& uuid) {
    const std::string name = piece.segment->name();
    absl::StatusOr<std::unique_ptr<File>> source = from_->Open(name, OpenMode::kReadOnly);
    if (!source.ok()) return source.status();
    absl::StatusOr<std::unique_ptr<File>> copy = Make(name);
    if (!copy.ok()) return copy.status();
    absl::Status status = Copy(**source, copy->get(), piece.end);
    if (!status.ok()) return status;
    const absl::StatusOr<std::optional<Trailer>> trailer =
        SealSegmentFile(copy->get(), uuid, piece.segment->id(), piece.end);
    if (!trailer.ok()) return trailer.status();
    if (trailer->has_value()) return absl::OkStatus();
    return absl::ResourceExhaustedError((*copy)->name() + ": no room for its footer");
  }

  absl::StatusOr<std::unique_ptr<File>> Make(const std::string& name) {
    absl::StatusOr<std::unique_ptr<File>> file = to_->Open(name, OpenMode::kCreateNew);
    if (file.ok()) made_.push_back(name);
    return file;
  }

  static absl::Status Copy(const File& from, File* to, uint64_t bytes) {
    std::string buffer;
    for (uint64_t at = 0; at < bytes; at += buffer.size()) {
      buffer.resize(std::min(kPiece, bytes - at));
      absl::Status status = from.Read(at, buffer.data(), buffer.size());
      if (status.ok()) status = to->Write(at, buffer);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  Directory* const from_;
  Directory* const to_;
  std::vector<std::string> made_;
  bool complete_ = false;
};

}  // namespace

absl::Status DB::Checkpoint(std::string_view path) {
  Store* const store = store_.get();
  absl::Status status = store->CheckWritable();
  if (status.ok()) status = store->log_.status();
  // What recovery found is committed first, so that all segments have their ends.
  if (status.ok() && !store->log_.is_begun()) status = store->log_.BeginWriting();
  store->log_.TellListener();
  if (!status.ok()) return status;
  FileSystem* const file_system =
      store->options_.file_system != nullptr ? store->options_.file_system : PosixFileSystem();
  const uint32_t file_mode = store->directory_->file_mode();
  status = file_system->CreateDirectory(path, DirectoryMode(file_mode));
  if (!status.ok()) return status;
  absl::StatusOr<std::unique_ptr<Directory>> directory = file_system->OpenDirectory(path);
  if (!directory.ok()) return directory.status();
  (*directory)->SetFileMode(file_mode);
  // Nobody else is to open, or make, a database there before this one is complete.
  const absl::StatusOr<std::unique_ptr<DatabaseLock>> lock =
      DatabaseLock::Acquire(directory->get(), LockKind::kExclusive, /*create=*/true);
  if (!lock.ok()) return lock.status();
  const Log::Captured state = store->compactor_->Capture();
  status =
      CheckpointWriter(store->directory_.get(), directory->get()).Write(state, file_system, path);
  Compactor::Release(state);
  return status;
}

}  // namespace rumcask
