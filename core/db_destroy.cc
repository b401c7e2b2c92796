// Removing a database.

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "core/db.h"
#include "core/format/format.h"
#include "core/format/manifest.h"
#include "core/log/database_lock.h"
#include "core/log/opening/directory_contents.h"
#include "core/plugin/index_directory.h"
#include "core/system/file_system.h"
#include "core/system/seeded_bug.h"
#include "core/system/space_reserve.h"
#include "core/system/text.h"

namespace rumcask {
namespace {

absl::Status UnlinkIfThere(Directory* directory, std::string_view name) {
  absl::Status status = directory->Unlink(name);
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

// Whether there is a database, or what a call that was cut off has left of one. Names alone do not
// tell: other programs, too, have files called MANIFEST.
absl::Status CheckIsDatabase(Directory* directory) {
  const absl::StatusOr<DirectoryContents> contents = ClassifyDirectory(directory);
  if (!contents.ok()) return contents.status();
  switch (*contents) {
    case DirectoryContents::kForeign:
      return ForeignDirectory(directory->path());
    case DirectoryContents::kSegments:
      return absl::OkStatus();
    case DirectoryContents::kEmpty: {
      absl::Status lock = directory->Open(kLockName, OpenMode::kReadOnly).status();
      if (!absl::IsNotFound(lock)) return lock;
      return absl::NotFoundError(absl::StrCat(Text(directory->path()), ": no database there"));
    }
    case DirectoryContents::kDatabase:
      break;
  }
  absl::Status manifest = ReadManifest(directory).status();
  if (manifest.ok()) return manifest;
  // A damaged one.
  const absl::StatusOr<std::vector<std::string>> names = directory->List();
  if (!names.ok()) return names.status();
  const bool has_segments = std::any_of(names->begin(), names->end(), [](const std::string& name) {
    return ParseSegmentName(name).has_value();
  });
  return has_segments ? absl::OkStatus() : manifest;
}

absl::Status RemoveIndex(Directory* directory) {
  // Keystores on disk are only on file systems whose directories have descriptors. By that one, not
  // by the path, which may be another directory's by now.
  if (directory->descriptor() < 0) return absl::OkStatus();
  return RemoveIndexes(directory->descriptor(), directory->path());
}

absl::Status RemoveManifest(Directory* directory) {
  for (const std::string_view name : {kManifestName, kManifestNextName}) {
    absl::Status status = UnlinkIfThere(directory, name);
    if (!status.ok()) return status;
  }
  return directory->Sync();
}

// Removes all that belongs to the database but LOCK. Whatever a crash leaves of it is the whole
// database, but for what can be made anew, or no database at all.
absl::Status RemoveFiles(Directory* directory) {
  absl::Status status = UnlinkIfThere(directory, kReserveName);
  if (status.ok()) status = RemoveIndex(directory);
  // If they were still there after a power cut, and MANIFEST was not, the directory would be taken
  // for that of somebody else.
  if (status.ok()) status = directory->Sync();
  // An opening might take newest segments that are missing for ones that were never written.
  const bool manifest_first = !SeededBug("destroyed-segments-first");
  if (status.ok() && manifest_first) status = RemoveManifest(directory);
  if (!status.ok()) return status;
  const absl::StatusOr<std::vector<std::string>> names = directory->List();
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (!ParseSegmentName(name).has_value()) continue;
    status = UnlinkIfThere(directory, name);
    if (!status.ok()) return status;
  }
  return manifest_first ? directory->Sync() : RemoveManifest(directory);
}

// The path may be that of another directory by now.
bool IsStillAt(FileSystem* file_system, std::string_view path, const Directory& directory) {
  const absl::StatusOr<std::unique_ptr<Directory>> now = file_system->OpenDirectory(path);
  if (!now.ok()) return false;
  const DirectoryIdentity a = (*now)->identity();
  const DirectoryIdentity b = directory.identity();
  return a.device == b.device && a.inode == b.inode;
}

}  // namespace

absl::Status DB::Destroy(std::string_view path, FileSystem* file_system) {
  if (file_system == nullptr) file_system = PosixFileSystem();
  const absl::StatusOr<std::unique_ptr<Directory>> opened = file_system->OpenDirectory(path);
  if (!opened.ok()) return opened.status();
  Directory* const directory = opened->get();
  const absl::StatusOr<std::unique_ptr<DatabaseLock>> lock =
      DatabaseLock::Acquire(directory, LockKind::kExclusive, /*create=*/false);
  if (!lock.ok()) return lock.status();
  absl::Status status = CheckIsDatabase(directory);
  if (status.ok()) status = RemoveFiles(directory);
  // Nobody gets by the lock of the directory, which is held until the end.
  if (status.ok()) status = UnlinkIfThere(directory, kLockName);
  if (status.ok()) status = directory->Sync();
  if (!status.ok()) return status;
  // If it can't be removed, it stays: it may hold files of others, or be a mount point.
  const bool removed =
      IsStillAt(file_system, path, *directory) && file_system->RemoveDirectory(path).ok();
  return removed ? file_system->SyncParent(path) : absl::OkStatus();
}

}  // namespace rumcask
