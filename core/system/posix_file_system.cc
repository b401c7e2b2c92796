// The real file system.
//
// A database's directory is opened once. Everything in it is reached by openat relative to that
// descriptor, with O_NOFOLLOW and O_CLOEXEC, so that neither a renamed directory nor a planted
// symbolic link leads elsewhere.

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <utility>

#include "core/system/file_system.h"

namespace rumcask {
namespace {

// Owns a descriptor. Descriptors 0, 1 and 2 are replaced by higher ones, because the first careless
// printf would write to them.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {
    if (fd_ >= 0 && fd_ <= 2) {
      const int moved = ::fcntl(fd_, F_DUPFD_CLOEXEC, 3);
      const int error = errno;
      ::close(fd_);
      fd_ = moved;
      errno = error;
    }
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() { Close(); }
  void Close() {
    // Everything that matters was synced by fdatasync and its errors seen, so close has nothing to
    // add.
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

// Whether the open file `fd`, which had `before` names when it was opened, still has one. File
// systems that do not count names report 0 from the beginning.
bool StillLinked(int fd, nlink_t before) {
  struct stat info;
  return before == 0 || ::fstat(fd, &info) < 0 || info.st_nlink > 0;
}

int ResultOf(int returned) { return returned < 0 ? -errno : 0; }

class PosixMappedRegion : public MappedRegion {
 public:
  PosixMappedRegion(char* data, size_t size) : MappedRegion(data, size, /*observed=*/false) {}
  // In slices: while pages are unmapped, nobody else in the process can map, unmap or fault.
  ~PosixMappedRegion() override {
    for (size_t at = 0; at < size(); at += kUnmappedAtOnce) {
      ::munmap(data() + at, std::min(kUnmappedAtOnce, size() - at));
    }
  }

  void Populate(uint64_t offset, size_t length) override {
#ifdef MADV_POPULATE_WRITE
    const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    const uint64_t begin = offset / page * page;
    (void)::madvise(data() + begin, offset + length - begin,
                    read_only_ ? MADV_POPULATE_READ : MADV_POPULATE_WRITE);
#else
    (void)offset;
    (void)length;
#endif
  }

  void AdviseRandom() override { (void)::madvise(data(), size(), MADV_RANDOM); }

  void Prefetch(uint64_t offset, size_t length) override {
    const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    const uint64_t begin = offset / page * page;
    const uint64_t end = std::min<uint64_t>(offset + length, size());
    if (begin < end) (void)::madvise(data() + begin, end - begin, MADV_WILLNEED);
  }

  absl::Status ProtectReadOnly() override {
    if (::mprotect(data(), size(), PROT_READ) < 0) return ErrnoStatus("mprotect", "mapping", errno);
    read_only_ = true;
    // While a page is mapped, writing it back makes the kernel interrupt every core that runs this
    // process. So the mapping is emptied.
    (void)::madvise(data(), size(), MADV_DONTNEED);
    return absl::OkStatus();
  }

 private:
  static constexpr size_t kUnmappedAtOnce = size_t{2} << 20;

  bool read_only_ = false;
};

class PosixFile : public File {
 public:
  PosixFile(std::string name, Descriptor fd, const struct stat& info)
      : File(std::move(name)),
        fd_(std::move(fd)),
        links_(info.st_nlink),
        mode_(info.st_mode & 0777) {}
  ~PosixFile() override {
    // Closing is not enough, because a forked child may have a copy of the descriptor. But the
    // child must not release its parent's lock.
    if (locked_by_ == ::getpid()) (void)::flock(fd_.get(), LOCK_UN);
  }

  void CloseInForkedChild() override { fd_.Close(); }

  void AdviseRandom() override { (void)::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_RANDOM); }
  void Prefetch(uint64_t offset, size_t length) override {
    (void)::posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(length),
                          POSIX_FADV_WILLNEED);
  }
  bool IsLinked() const override { return StillLinked(fd_.get(), links_); }
  uint32_t mode() const override { return mode_; }

 protected:
  int64_t DoPread(uint64_t offset, void* buffer, size_t size) const override {
    const ssize_t n = ::pread(fd_.get(), buffer, size, static_cast<off_t>(offset));
    return n < 0 ? -errno : n;
  }
  int64_t DoPwritev(uint64_t offset, const iovec* pieces, int count) override {
    const ssize_t n = ::pwritev(fd_.get(), pieces, count, static_cast<off_t>(offset));
    return n < 0 ? -errno : n;
  }
  int DoTruncate(uint64_t size) override {
    return ResultOf(::ftruncate(fd_.get(), static_cast<off_t>(size)));
  }
  int DoAllocate(uint64_t size) override {
    return ResultOf(::fallocate(fd_.get(), 0, 0, static_cast<off_t>(size)));
  }
  int DoSync() override { return ResultOf(::fdatasync(fd_.get())); }
  int64_t DoSize() const override {
    struct stat info;
    return ::fstat(fd_.get(), &info) < 0 ? -errno : static_cast<int64_t>(info.st_size);
  }
  int DoMap(size_t size, bool writable, std::unique_ptr<MappedRegion>* region) override {
    void* data = ::mmap(nullptr, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
                        fd_.get(), 0);
    if (data == MAP_FAILED) return -errno;
    *region = std::make_unique<PosixMappedRegion>(static_cast<char*>(data), size);
    return 0;
  }
  int DoLock(LockKind kind) override {
    // flock belongs to the open file description: a second open in this process is refused too, and
    // closing another descriptor of the file does not release the lock, as it would with fcntl's
    // locks.
    const int result =
        ResultOf(::flock(fd_.get(), (kind == LockKind::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB));
    if (result == 0) locked_by_ = ::getpid();
    return result;
  }

 private:
  Descriptor fd_;
  const nlink_t links_;
  const uint32_t mode_;
  pid_t locked_by_ = 0;
};

int OpenFlags(OpenMode mode) {
  switch (mode) {
    case OpenMode::kReadOnly:
      return O_RDONLY;
    case OpenMode::kReadWrite:
      return O_RDWR;
    case OpenMode::kCreateNew:
      return O_RDWR | O_CREAT | O_EXCL;
    case OpenMode::kCreateOrKeep:
      return O_RDWR | O_CREAT;
    case OpenMode::kCreateOrReplace:
      return O_RDWR | O_CREAT | O_TRUNC;
  }
  return O_RDONLY;
}

class PosixDirectory : public Directory {
 public:
  PosixDirectory(std::string path, Descriptor fd, const struct stat& info)
      : Directory(std::move(path)),
        fd_(std::move(fd)),
        identity_{info.st_dev, info.st_ino},
        links_(info.st_nlink) {}

  DirectoryIdentity identity() const override { return identity_; }
  bool IsLinked() const override { return StillLinked(fd_.get(), links_); }

 protected:
  int DoOpen(const std::string& name, OpenMode mode, std::unique_ptr<File>* file) override {
    // O_NONBLOCK, because a planted FIFO must not block the open.
    Descriptor fd(::openat(fd_.get(), name.c_str(),
                           OpenFlags(mode) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, file_mode()));
    if (!fd.ok()) return -errno;
    struct stat info;
    if (::fstat(fd.get(), &info) < 0) return -errno;
    if (!S_ISREG(info.st_mode)) return -EMEDIUMTYPE;
    *file = std::make_unique<PosixFile>(path() + "/" + name, std::move(fd), info);
    return 0;
  }
  int DoOpenForLocking(std::unique_ptr<File>* file) override {
    // A new description, not a copy of fd_: a lock belongs to the open description and ends with
    // the last descriptor of that.
    Descriptor fd(::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat info;
    if (!fd.ok() || ::fstat(fd.get(), &info) < 0) return -errno;
    *file = std::make_unique<PosixFile>(path(), std::move(fd), info);
    return 0;
  }
  int DoUnlink(const std::string& name) override {
    return ResultOf(::unlinkat(fd_.get(), name.c_str(), 0));
  }
  int DoRename(const std::string& from, const std::string& to) override {
    return ResultOf(::renameat(fd_.get(), from.c_str(), fd_.get(), to.c_str()));
  }
  DiskSpace disk_space() const override {
    struct statvfs info;
    if (::fstatvfs(fd_.get(), &info) < 0) return {};
    const uint64_t block = info.f_frsize;
    return {info.f_blocks * block, info.f_bavail * block};
  }
  int descriptor() const override { return fd_.get(); }
  int DoLinkInto(const std::string& name, Directory* to) override {
    if (to->descriptor() < 0) return -EXDEV;
    return ResultOf(::linkat(fd_.get(), name.c_str(), to->descriptor(), name.c_str(), 0));
  }
  int DoSync() override { return ResultOf(::fsync(fd_.get())); }
  int DoList(std::vector<std::string>* names) override {
    // A description of its own, because the position in a directory belongs to the open
    // description.
    const int fd = ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    DIR* dir = ::fdopendir(fd);
    if (dir == nullptr) {
      const int error = errno;
      ::close(fd);
      return -error;
    }
    errno = 0;
    while (const dirent* entry = ::readdir(dir)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names->push_back(name);
      errno = 0;
    }
    const int error = errno;
    ::closedir(dir);
    return -error;
  }

 private:
  const Descriptor fd_;
  const DirectoryIdentity identity_;
  const nlink_t links_;
};

// The number of mappings that the system allows each process, if it can be read.
uint64_t MappingLimit() {
  uint64_t limit = ProcessLimits().mappings;
  Descriptor fd(::open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC));
  char text[32] = "";
  if (!fd.ok() || ::read(fd.get(), text, sizeof(text) - 1) <= 0) return limit;
  (void)std::sscanf(text, "%" SCNu64, &limit);
  return limit;
}

class PosixFileSystemImpl : public FileSystem {
 public:
  ProcessLimits Limits() const override {
    ProcessLimits limits;
    rlimit descriptors;
    if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0) limits.descriptors = descriptors.rlim_cur;
    limits.mappings = MappingLimit();
    return limits;
  }

 protected:
  int DoOpenDirectory(const std::string& path, std::unique_ptr<Directory>* directory) override {
    Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.ok()) return -errno;
    struct stat info;
    if (::fstat(fd.get(), &info) < 0) return -errno;
    *directory = std::make_unique<PosixDirectory>(path, std::move(fd), info);
    return 0;
  }
  int DoCreateDirectory(const std::string& path, uint32_t mode) override {
    return ResultOf(::mkdir(path.c_str(), mode));
  }
  int DoRemoveDirectory(const std::string& path) override {
    return ResultOf(::rmdir(path.c_str()));
  }
  int DoSyncParent(const std::string& path) override {
    std::string parent = path;
    while (parent.size() > 1 && parent.back() == '/') parent.pop_back();
    const size_t slash = parent.rfind('/');
    if (slash == std::string::npos) {
      parent = ".";
    } else {
      parent.resize(slash == 0 ? 1 : slash);
    }
    Descriptor fd(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.ok()) return -errno;
    return ResultOf(::fsync(fd.get()));
  }
};

}  // namespace

FileSystem* PosixFileSystem() {
  static FileSystem* const file_system = new PosixFileSystemImpl;
  return file_system;
}

}  // namespace rumcask
