// Removing a database.

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
#include "core/log/directory_contents.h"
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

// Removes all that belongs to the database but LOCK. Whatever a crash leaves of it is the whole
// database, but for what can be made anew, or no database at all.
absl::Status RemoveFiles(FileSystem* file_system, Directory* directory) {
  absl::Status status = UnlinkIfThere(directory, kReserveName);
  if (status.ok() && file_system->IsOfTheSystem()) {
    status = RemoveIndexDirectory(absl::StrCat(directory->path(), "/index"));
  }
  // If they were still there after a power cut, and MANIFEST was not, the directory would be taken
  // for that of somebody else.
  if (status.ok()) status = directory->Sync();
  const auto remove_manifest = [&]() -> absl::Status {
    for (const std::string_view name : {kManifestName, kManifestNextName}) {
      absl::Status removed = UnlinkIfThere(directory, name);
      if (!removed.ok()) return removed;
    }
    return directory->Sync();
  };
  // An opening might take newest segments that are missing for ones that were never written.
  if (status.ok() && !SeededBug("destroyed-segments-first")) status = remove_manifest();
  if (!status.ok()) return status;
  absl::StatusOr<std::vector<std::string>> names = directory->List();
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (!ParseSegmentName(name).has_value()) continue;
    status = UnlinkIfThere(directory, name);
    if (!status.ok()) return status;
  }
  if (SeededBug("destroyed-segments-first")) status = remove_manifest();
  return status.ok() ? directory->Sync() : status;
}

}  // namespace

absl::Status DB::Destroy(std::string_view path, FileSystem* file_system) {
  if (file_system == nullptr) file_system = PosixFileSystem();
  absl::StatusOr<std::unique_ptr<Directory>> directory = file_system->OpenDirectory(path);
  if (!directory.ok()) return directory.status();
  absl::StatusOr<DirectoryContents> contents = ClassifyDirectory(directory->get());
  if (!contents.ok()) return contents.status();
  if (*contents == DirectoryContents::kForeign) return ForeignDirectory(path);
  if (*contents == DirectoryContents::kEmpty) {
    absl::StatusOr<std::unique_ptr<File>> lock = (*directory)->Open(kLockName, OpenMode::kReadOnly);
    // An earlier call may have got no further.
    if (absl::IsNotFound(lock.status())) {
      return absl::NotFoundError(absl::StrCat(Text(path), ": no database there"));
    }
    if (!lock.ok()) return lock.status();
  }
  const absl::StatusOr<std::unique_ptr<DatabaseLock>> lock =
      DatabaseLock::Acquire(directory->get(), LockKind::kExclusive, /*create=*/false);
  if (!lock.ok()) return lock.status();
  absl::Status status = RemoveFiles(file_system, directory->get());
  // Nobody gets by the lock of the directory, which is held until the end.
  if (status.ok()) status = UnlinkIfThere(directory->get(), kLockName);
  if (!status.ok()) return status;
  status = file_system->RemoveDirectory(path);
  // It holds files that are not the database's.
  if (absl::IsFailedPrecondition(status)) return (*directory)->Sync();
  return status.ok() ? file_system->SyncParent(path) : status;
}

}  // namespace rumcask
