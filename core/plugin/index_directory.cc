#include "core/plugin/index_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"

#include "core/system/file_system.h"

namespace rumcask {

namespace {

std::string ParentOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

bool Exists(const std::string& path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) == 0;
}

// False for a symbolic link to a directory.
bool IsDirectory(const std::string& path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// The directory `name` in the open directory `parent`, not through a link; a negated errno on
// failure.
int OpenIn(int parent, const char* name) {
  const int fd = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

int NamesIn(int directory, std::vector<std::string>* names) {
  // A description of its own, as the position in the directory belongs to that.
  const int fd = OpenIn(directory, ".");
  if (fd < 0) return fd;
  DIR* const opened = ::fdopendir(fd);
  if (opened == nullptr) {
    const int error = errno;
    ::close(fd);
    return -error;
  }
  errno = 0;
  while (const dirent* entry = ::readdir(opened)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names->emplace_back(name);
    errno = 0;
  }
  const int error = errno;
  ::closedir(opened);
  return -error;
}

// Removes whatever `name` is in the open directory `parent`, with all that is in it. Links are
// removed, not what they lead to. A negated errno on failure; that there is nothing, or nothing any
// more, is none.
int RemoveAll(int parent, const char* name) {
  if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return 0;
  if (errno != EISDIR) return -errno;
  const int directory = OpenIn(parent, name);
  if (directory < 0) return directory == -ENOENT ? 0 : directory;
  std::vector<std::string> names;
  int error = NamesIn(directory, &names);
  for (size_t i = 0; i < names.size() && error == 0; ++i) {
    error = RemoveAll(directory, names[i].c_str());
  }
  ::close(directory);
  if (error == 0 && ::unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT) error = -errno;
  return error;
}

}  // namespace

absl::Status PutAsideIfNoDirectory(const std::string& path) {
  if (!Exists(path) || IsDirectory(path)) return absl::OkStatus();
  std::string aside;
  for (int i = 1; aside.empty() || Exists(aside); ++i) aside = absl::StrCat(path, ".", i);
  return ::rename(path.c_str(), aside.c_str()) == 0 ? absl::OkStatus()
                                                    : ErrnoStatus("rename", path, errno);
}

absl::Status MakeIndexDirectory(const std::string& path) {
  const std::string parent = ParentOf(path);
  absl::Status aside = PutAsideIfNoDirectory(parent);
  if (!aside.ok()) return aside;
  for (const std::string& one : {parent, path}) {
    absl::Status status = PosixFileSystem()->CreateDirectory(one);
    if (absl::IsAlreadyExists(status)) continue;
    if (status.ok()) status = PosixFileSystem()->SyncParent(one);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status RemoveIndexDirectory(const std::string& path) {
  if (!IsDirectory(ParentOf(path))) return absl::OkStatus();
  const int error = RemoveAll(AT_FDCWD, path.c_str());
  return error == 0 ? absl::OkStatus() : ErrnoStatus("remove", path, -error);
}

absl::Status RemoveIndexes(int database, const std::string& path) {
  struct stat status;
  if (::fstatat(database, "index", &status, AT_SYMLINK_NOFOLLOW) < 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoStatus("stat", path + "/index", errno);
  }
  if (!S_ISDIR(status.st_mode)) return absl::OkStatus();
  const int error = RemoveAll(database, "index");
  return error == 0 ? absl::OkStatus() : ErrnoStatus("remove", path + "/index", -error);
}

namespace {

// Calls `see(name, status)` for everything in the directory, except what is removed meanwhile.
template <typename See>
absl::Status ForEach(const std::string& path, See see) {
  DIR* const directory = ::opendir(path.c_str());
  if (directory == nullptr) return ErrnoStatus("open", path, errno);
  errno = 0;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    struct stat status;
    if (name != "." && name != ".." &&
        ::fstatat(::dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
      see(entry->d_name, status);
    }
    errno = 0;
  }
  const int error = errno;
  ::closedir(directory);
  return error == 0 ? absl::OkStatus() : ErrnoStatus("readdir", path, error);
}

}  // namespace

absl::Status CheckIndexDirectory(const std::string& path) {
  for (const std::string& one : {ParentOf(path), path}) {
    if (Exists(one) && !IsDirectory(one)) {
      return absl::FailedPreconditionError(absl::StrCat(one, ": not a directory"));
    }
  }
  absl::Status found;
  const absl::Status read = ForEach(path, [&](const char* name, const struct stat& status) {
    if (!S_ISREG(status.st_mode)) {
      found.Update(absl::FailedPreconditionError(absl::StrCat(path, "/", name, ": not a file")));
    }
  });
  return read.ok() ? found : read;
}

uint64_t IndexDirectoryBytes(const std::string& path) {
  uint64_t bytes = 0;
  const absl::Status read = ForEach(path, [&](const char*, const struct stat& status) {
    bytes += static_cast<uint64_t>(status.st_blocks) * 512;
  });
  return read.ok() ? bytes : 0;
}

}  // namespace rumcask
