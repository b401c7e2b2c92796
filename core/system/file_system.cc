#include "core/system/file_system.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

#include "core/system/seeded_bug.h"
#include "core/system/text.h"

namespace rumcask {
namespace {

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::StatusCode::kResourceExhausted;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case ENOTDIR:
    case ELOOP:
      return absl::StatusCode::kFailedPrecondition;
    default:
      return absl::StatusCode::kInternal;
  }
}

absl::Status StatusOf(std::string_view operation, std::string_view name, int result) {
  return result < 0 ? ErrnoStatus(operation, name, -result) : absl::OkStatus();
}

// The status of an operation on something that is open, where no name is looked up.
absl::Status OpenStatusOf(std::string_view operation, std::string_view name, int result) {
  absl::Status status = StatusOf(operation, name, result);
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
      return absl::InternalError(status.message());
    default:
      return status;
  }
}

// Repeats `call` while it is interrupted.
template <typename Call>
auto Uninterrupted(Call call) {
  auto result = call();
  while (result == -EINTR) result = call();
  return result;
}

std::string Joined(std::string_view directory, std::string_view name) {
  return absl::StrCat(Text(directory), "/", Text(name));
}

}  // namespace

absl::Status ErrnoStatus(std::string_view operation, std::string_view name, int error) {
  return absl::Status(CodeOf(error),
                      absl::StrCat(Text(operation), " ", Text(name), ": ", std::strerror(error)));
}

absl::StatusOr<size_t> File::ReadUpTo(uint64_t offset, void* buffer, size_t size) const {
  size_t done = 0;
  while (done < size) {
    const int64_t n = Uninterrupted(
        [&] { return DoPread(offset + done, static_cast<char*>(buffer) + done, size - done); });
    if (n < 0) {
      return OpenStatusOf(absl::StrCat("read at ", offset + done, " of"), name_,
                          static_cast<int>(n));
    }
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

absl::Status File::Read(uint64_t offset, void* buffer, size_t size) const {
  absl::StatusOr<size_t> done = ReadUpTo(offset, buffer, size);
  if (!done.ok()) return done.status();
  if (*done < size) {
    return absl::OutOfRangeError(absl::StrCat("read at ", offset, " of ", name_,
                                              ": file ends after ", *done, " of ", size, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status File::Write(uint64_t offset, std::string_view data) {
  return Write(offset, std::vector<iovec>{{const_cast<char*>(data.data()), data.size()}});
}

absl::Status File::Write(uint64_t offset, std::vector<iovec> pieces) {
  size_t first = 0;
  while (true) {
    while (first < pieces.size() && pieces[first].iov_len == 0) ++first;
    if (first == pieces.size()) return absl::OkStatus();
    const int64_t n = Uninterrupted([&] {
      return DoPwritev(offset, pieces.data() + first, static_cast<int>(pieces.size() - first));
    });
    if (n < 0) {
      return OpenStatusOf(absl::StrCat("write at ", offset, " of"), name_, static_cast<int>(n));
    }
    if (n == 0) return ErrnoStatus(absl::StrCat("write at ", offset, " of"), name_, ENOSPC);
    offset += static_cast<uint64_t>(n);
    for (size_t left = static_cast<size_t>(n); left > 0;) {
      iovec& piece = pieces[first];
      const size_t step = left < piece.iov_len ? left : piece.iov_len;
      piece.iov_base = static_cast<char*>(piece.iov_base) + step;
      piece.iov_len -= step;
      left -= step;
      if (piece.iov_len == 0) ++first;
    }
  }
}

absl::Status File::Truncate(uint64_t size) {
  return OpenStatusOf("truncate", name_, Uninterrupted([&] { return DoTruncate(size); }));
}

int File::DoAllocate(uint64_t /*size*/) { return -EOPNOTSUPP; }

absl::Status File::Allocate(uint64_t size) {
  const int result = Uninterrupted([&] { return DoAllocate(size); });
  if (result == -EOPNOTSUPP || result == -ENOSYS) {
    return absl::UnimplementedError(absl::StrCat(name_, ": blocks cannot be allocated ahead"));
  }
  return OpenStatusOf("allocate", name_, result);
}

absl::Status File::Sync() {
  // Repeated only after EINTR, which says that waiting was given up, not that a write failed: the
  // kernel keeps a write-back error until it has reported it. After any other error the dirty pages
  // may be gone, and the next fdatasync would report success (the PostgreSQL "fsyncgate" of 2018).
  MutexLock lock(sync_mutex_);
  if (sync_status_.ok() || SeededBug("failed-sync-retried")) {
    sync_status_ = OpenStatusOf("fdatasync", name_, Uninterrupted([&] { return DoSync(); }));
  }
  return sync_status_;
}

absl::StatusOr<uint64_t> File::Size() const {
  const int64_t size = Uninterrupted([&] { return DoSize(); });
  if (size < 0) return OpenStatusOf("stat", name_, static_cast<int>(size));
  return static_cast<uint64_t>(size);
}

absl::StatusOr<std::unique_ptr<MappedRegion>> File::Map(size_t size, bool writable) {
  std::unique_ptr<MappedRegion> region;
  const int result = Uninterrupted([&] { return DoMap(size, writable, &region); });
  if (result < 0) return OpenStatusOf("mmap", name_, result);
  return region;
}

absl::Status File::TryLock(LockKind kind) {
  const int result = Uninterrupted([&] { return DoLock(kind); });
  if (result == -EWOULDBLOCK) return absl::UnavailableError(absl::StrCat(name_, " is locked"));
  return OpenStatusOf("lock", name_, result);
}

absl::StatusOr<std::unique_ptr<File>> Directory::Open(std::string_view name, OpenMode mode) {
  std::unique_ptr<File> file;
  int result;
  do {
    result = Uninterrupted([&] { return DoOpen(std::string(name), mode, &file); });
  } while ((result == -EMFILE || result == -ENFILE) && source_ && source_(name));
  if (result == -EISDIR || result == -ELOOP || result == -EMEDIUMTYPE || result == -ENXIO) {
    return absl::FailedPreconditionError(
        absl::StrCat("open ", Joined(path_, name), ": not a regular file"));
  }
  if (result < 0) return ErrnoStatus("open", Joined(path_, name), -result);
  return file;
}

absl::StatusOr<std::unique_ptr<File>> Directory::OpenForLocking() {
  std::unique_ptr<File> file;
  const int result = Uninterrupted([&] { return DoOpenForLocking(&file); });
  if (result < 0) return ErrnoStatus("open directory", path_, -result);
  return file;
}

absl::Status Directory::Unlink(std::string_view name) {
  return StatusOf("unlink", Joined(path_, name),
                  Uninterrupted([&] { return DoUnlink(std::string(name)); }));
}

absl::Status Directory::Rename(std::string_view from, std::string_view to) {
  return StatusOf("rename", Joined(path_, from),
                  Uninterrupted([&] { return DoRename(std::string(from), std::string(to)); }));
}

int Directory::DoLinkInto(const std::string& /*name*/, Directory* /*to*/) { return -EXDEV; }

absl::Status Directory::LinkInto(std::string_view name, Directory* to) {
  const int result = Uninterrupted([&] { return DoLinkInto(std::string(name), to); });
  switch (-result) {
    case EXDEV:
    case EPERM:
    case EMLINK:
    case EOPNOTSUPP:
    case ENOSYS:
      return absl::UnimplementedError(absl::StrCat(Joined(path_, name), ": cannot be linked"));
    default:
      return StatusOf("link", Joined(path_, name), result);
  }
}

absl::Status Directory::Sync() {
  return OpenStatusOf("fsync", path_, Uninterrupted([&] { return DoSync(); }));
}

absl::StatusOr<std::vector<std::string>> Directory::List() {
  std::vector<std::string> names;
  const int result = Uninterrupted([&] {
    names.clear();
    return DoList(&names);
  });
  if (result < 0) return OpenStatusOf("list", path_, result);
  return names;
}

absl::StatusOr<std::unique_ptr<Directory>> FileSystem::OpenDirectory(std::string_view path) {
  if (path.empty()) return absl::InvalidArgumentError("the path of the database is empty");
  std::unique_ptr<Directory> directory;
  const int result = Uninterrupted([&] { return DoOpenDirectory(std::string(path), &directory); });
  if (result < 0) return ErrnoStatus("open directory", path, -result);
  return directory;
}

absl::Status FileSystem::CreateDirectory(std::string_view path, uint32_t mode) {
  if (path.empty()) return absl::InvalidArgumentError("the path of the database is empty");
  const int result = Uninterrupted([&] { return DoCreateDirectory(std::string(path), mode); });
  if (result == -ENOENT) {
    return absl::NotFoundError(
        absl::StrCat(Text(path), ": cannot be created, as its parent directory is missing"));
  }
  return StatusOf("mkdir", path, result);
}

absl::Status FileSystem::RemoveDirectory(std::string_view path) {
  const int result = Uninterrupted([&] { return DoRemoveDirectory(std::string(path)); });
  if (result == -ENOTEMPTY || result == -EEXIST) {
    return absl::FailedPreconditionError(absl::StrCat(Text(path), ": directory is not empty"));
  }
  return StatusOf("rmdir", path, result);
}
int FileSystem::DoRemoveDirectory(const std::string& /*path*/) { return -ENOTSUP; }

absl::Status FileSystem::SyncParent(std::string_view path) {
  return StatusOf("fsync the parent of", path,
                  Uninterrupted([&] { return DoSyncParent(std::string(path)); }));
}

}  // namespace rumcask
