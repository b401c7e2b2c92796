// The seam between rumcask and the operating system.
//
// Every operation on a database's files, and every store into a mapped file, goes through the
// classes here. So a test can take the place of the system: it can fail the n-th call, return half
// of it, or cut the power between any two calls and keep what a disk may keep.
//
// The virtual functions are as thin as system calls: they may be interrupted, may transfer less
// than asked, and return a negated errno. The public functions above them do what callers want:
// they repeat calls after EINTR and short transfers, and name the file in the error. EINTR is
// handled there and nowhere else. close is not repeated, because Linux frees the descriptor in any
// case; mprotect is interrupted only in a process that is being killed.
//
// Mapping of errors: ENOENT is NotFound; EEXIST AlreadyExists; ENOSPC, EDQUOT, EFBIG, EMFILE,
// ENFILE and ENOMEM ResourceExhausted; EACCES, EPERM and EROFS PermissionDenied; ENOTDIR and ELOOP
// FailedPrecondition; everything else Internal. Opening anything but a regular file, for which
// DoOpen returns EISDIR, ELOOP, ENXIO or EMEDIUMTYPE, is FailedPrecondition. On a file that is
// already open, ENOENT, EEXIST, ENOTDIR and ELOOP are Internal, because no name is looked up there.
//
// Thread-safety: FileSystem and Directory may be used from any thread. A File may be read by any
// number of threads, and writes to disjoint ranges may run beside them.

#ifndef RUMCASK_CORE_SYSTEM_FILE_SYSTEM_H_
#define RUMCASK_CORE_SYSTEM_FILE_SYSTEM_H_

#include "rumcask/require_cxx17.h"

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rumcask/mapping_budget.h"
#include "rumcask/mutex.h"

namespace rumcask {

// A status for errno value `error` of `operation` on `name`, e.g. "pwrite /db/0001.seg: No space
// left on device".
absl::Status ErrnoStatus(std::string_view operation, std::string_view name, int error);

// A shared mapping of the first `size()` bytes of a file's address range. Bytes past the file's end
// must not be touched. The mapping outlives the File it came from.
class MappedRegion {
 public:
  virtual ~MappedRegion() = default;
  MappedRegion(const MappedRegion&) = delete;
  MappedRegion& operator=(const MappedRegion&) = delete;

  // The first of its bytes.
  char* data() const { return data_; }
  // The number of its bytes.
  size_t size() const { return size_; }

  // Must be called after every store into the mapping and before anyone else learns of it. On a
  // real file it costs one branch that is never taken.
  void Wrote(uint64_t offset, size_t length) {
    if (observed_) DoWrote(offset, length);
  }

  // Brings the pages of [offset, offset + length) into memory, and makes them writable unless
  // ProtectReadOnly was called. A hint: if it fails, page faults cost time later, nothing else.
  virtual void Populate(uint64_t offset, size_t length) = 0;

  // Says that pages will be read at random offsets: a page fault then brings in no other pages than
  // its own. A hint.
  virtual void AdviseRandom() {}

  // Begins to read [offset, offset + length) from the device, without waiting for it. A hint.
  virtual void Prefetch(uint64_t /*offset*/, size_t /*length*/) {}

  // Makes further stores fault. Used when a segment is sealed, so that a stray pointer of the host
  // program cannot change sealed data. Afterwards the pages may have to be brought in again.
  virtual absl::Status ProtectReadOnly() = 0;

 protected:
  // DoWrote is called only if `observed`.
  MappedRegion(char* data, size_t size, bool observed)
      : data_(data), size_(size), observed_(observed) {}
  // Learns of a store.
  virtual void DoWrote(uint64_t /*offset*/, size_t /*length*/) {}

 private:
  char* const data_;
  const size_t size_;
  const bool observed_;
};

// Whether others may have the lock, too.
enum class LockKind { kShared, kExclusive };

// An open file. Destroying it closes it.
class File {
 public:
  virtual ~File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // The path, for messages.
  const std::string& name() const { return name_; }

  // Reads exactly `size` bytes; OutOfRange if the file ends earlier.
  absl::Status Read(uint64_t offset, void* buffer, size_t size) const;
  // Reads up to `size` bytes, fewer only at the end of the file.
  absl::StatusOr<size_t> ReadUpTo(uint64_t offset, void* buffer, size_t size) const;
  // Writes everything at `offset`, extending the file if need be. After an error, an unknown part
  // has been written.
  absl::Status Write(uint64_t offset, std::string_view data);
  // Writes several pieces one after the other, at most 1024; otherwise like Write above.
  absl::Status Write(uint64_t offset, std::vector<iovec> pieces);
  // Cuts the file to `size` bytes, or extends it by zeros.
  absl::Status Truncate(uint64_t size);
  // Makes the file at least `size` bytes long, with blocks for all of it, which nobody else gets.
  // ResourceExhausted if there are not so many; some may have been added to the file then.
  // Unimplemented if the file system cannot.
  absl::Status Allocate(uint64_t size);
  // fdatasync: after OK, the bytes and the file size needed to reach them survive a power cut.
  // After an error nothing is known. The kernel reports such an error only once and might answer a
  // second call with OK, so every later call, from any thread, returns the first error.
  absl::Status Sync();
  // The number of bytes up to the end of the file.
  absl::StatusOr<uint64_t> Size() const;
  // Maps [0, size), which may reach past the end of the file.
  absl::StatusOr<std::unique_ptr<MappedRegion>> Map(size_t size, bool writable);
  // flock without waiting; Unavailable if another holder is in the way. The lock is released with
  // the file, even while a forked child has a copy of the descriptor.
  absl::Status TryLock(LockKind kind);
  // Only for a forked child, which would otherwise keep the lock after its parent has died: closes
  // the child's copy of the descriptor and leaves the lock to the parent. Takes no lock and no
  // memory. Afterwards the file cannot be used, only destroyed.
  virtual void CloseInForkedChild() {}
  // Tells the kernel that reads will be at random offsets. A hint.
  virtual void AdviseRandom() {}
  // Begins to read [offset, offset + length) from the device, without waiting for it. A hint.
  virtual void Prefetch(uint64_t /*offset*/, size_t /*length*/) {}
  // The permission bits that it had when it was opened.
  virtual uint32_t mode() const { return 0600; }
  // False if the last name of the file was removed, so that nobody will find what is written to it.
  virtual bool IsLinked() const { return true; }

 protected:
  // `name` is the path, for messages.
  explicit File(std::string name) : name_(std::move(name)) {}

  // Each returns a negated errno on failure. Transfers may be short and may return -EINTR.
  virtual int64_t DoPread(uint64_t offset, void* buffer, size_t size) const = 0;
  virtual int64_t DoPwritev(uint64_t offset, const iovec* pieces, int count) = 0;
  virtual int DoTruncate(uint64_t size) = 0;
  virtual int DoAllocate(uint64_t size);
  virtual int DoSync() = 0;
  virtual int64_t DoSize() const = 0;
  virtual int DoMap(size_t size, bool writable, std::unique_ptr<MappedRegion>* region) = 0;
  virtual int DoLock(LockKind kind) = 0;

 private:
  const std::string name_;
  // Held during the sync, so that no other thread's sync can begin between a failure and its
  // recording.
  Mutex sync_mutex_;
  absl::Status sync_status_ ABSL_GUARDED_BY(sync_mutex_);
};

// What opening does with a file that exists, and without one.
enum class OpenMode {
  kReadOnly,         // must exist
  kReadWrite,        // must exist
  kCreateNew,        // must not exist; read-write
  kCreateOrKeep,     // created empty if missing; read-write
  kCreateOrReplace,  // emptied if it exists; read-write
};

// Distinguishes two spellings of one directory from two directories.
struct DirectoryIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
};

// In bytes.
struct DiskSpace {
  uint64_t all = 0;
  // What this process may still take.
  uint64_t free = 0;
};

// An open directory. Names are single components: no slash, no "." or "..". Symbolic links are not
// followed, and anything but a regular file is refused.
class Directory {
 public:
  virtual ~Directory() = default;
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  // As it was opened, for messages.
  const std::string& path() const { return path_; }

  // If no descriptors are left, asks the DescriptorSource to free one.
  absl::StatusOr<std::unique_ptr<File>> Open(std::string_view name, OpenMode mode);
  // Opens the directory itself, in order to lock it; nothing else can be done with the result.
  absl::StatusOr<std::unique_ptr<File>> OpenForLocking();
  // Removes the name. Whoever has the file open keeps it.
  absl::Status Unlink(std::string_view name);
  // Replaces `to` in one step.
  absl::Status Rename(std::string_view from, std::string_view to);
  // Gives a file of this directory the same name in `to`, too. Both names are of one file then.
  // Unimplemented if that is not possible between these two, and `to` is unchanged.
  absl::Status LinkInto(std::string_view name, Directory* to);
  // Makes all creations, renames and unlinks so far survive a power cut.
  absl::Status Sync();
  // The names of everything in the directory, in no order, without "." and "..".
  absl::StatusOr<std::vector<std::string>> List();
  // The same for every spelling of the path.
  virtual DirectoryIdentity identity() const = 0;
  // False if the directory was removed, so that nobody will find what is written in it.
  virtual bool IsLinked() const { return true; }
  // Of the file system that it is in; zeros if that is not known.
  virtual DiskSpace disk_space() const { return {}; }
  // Of a directory of the operating system; -1 for others.
  virtual int descriptor() const { return -1; }

  // Sets the mode of files that Open makes, as far as the umask lets it; 0600 at first. Must be set
  // before other threads use the directory.
  virtual void SetFileMode(uint32_t mode) { file_mode_ = mode; }
  // What SetFileMode has set.
  uint32_t file_mode() const { return file_mode_; }

  // The function that closes a descriptor when Open has met EMFILE or ENFILE. It is called with the
  // name to be opened, on the thread that opens, as long as the error persists; it returns false if
  // it has none to close.
  using DescriptorSource = std::function<bool(std::string_view name)>;
  // Must be called before other threads use the directory.
  void SetDescriptorSource(DescriptorSource source) { source_ = std::move(source); }

 protected:
  // `path` is for messages.
  explicit Directory(std::string path) : path_(std::move(path)) {}

  // Each does what the function without Do promises, and returns a negated errno on failure.
  virtual int DoOpen(const std::string& name, OpenMode mode, std::unique_ptr<File>* file) = 0;
  virtual int DoOpenForLocking(std::unique_ptr<File>* file) = 0;
  virtual int DoUnlink(const std::string& name) = 0;
  virtual int DoRename(const std::string& from, const std::string& to) = 0;
  virtual int DoLinkInto(const std::string& name, Directory* to);
  virtual int DoSync() = 0;
  virtual int DoList(std::vector<std::string>* names) = 0;

 private:
  const std::string path_;
  uint32_t file_mode_ = 0600;
  DescriptorSource source_;
};

// What the system allows this process to have.
struct ProcessLimits {
  uint64_t descriptors = 1024;
  uint64_t mappings = 65530;
};

// The mode of a directory: who may read its files may enter it.
inline uint32_t DirectoryMode(uint32_t file_mode) {
  return 0700 | file_mode | (file_mode & 0044) >> 2;
}

// What a database is opened through; see Options::file_system.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // The limits as they are now. The default is Linux's.
  virtual ProcessLimits Limits() const { return ProcessLimits(); }
  // Whether the operating system knows its files by their paths, as libraries need that keep an
  // index on disk.
  virtual bool IsOfTheSystem() const { return true; }
  // The budget that all databases opened through this file system share.
  std::shared_ptr<MappingBudget> mapping_budget() const { return mapping_budget_; }

  // Opens a directory; NotFound if there is none, FailedPrecondition if it is something else,
  // InvalidArgument if the path is empty.
  absl::StatusOr<std::unique_ptr<Directory>> OpenDirectory(std::string_view path);
  // Creates one directory with this mode, as far as the umask lets it. AlreadyExists if anything is
  // there, NotFound if its parent does not exist.
  absl::Status CreateDirectory(std::string_view path, uint32_t mode = 0700);
  // FailedPrecondition if something is left in it.
  absl::Status RemoveDirectory(std::string_view path);
  // Makes the entry of `path` in its parent directory survive a power cut.
  absl::Status SyncParent(std::string_view path);

 protected:
  // Each does what the function without Do promises, and returns a negated errno on failure.
  virtual int DoOpenDirectory(const std::string& path, std::unique_ptr<Directory>* directory) = 0;
  virtual int DoCreateDirectory(const std::string& path, uint32_t mode) = 0;
  virtual int DoRemoveDirectory(const std::string& path);
  virtual int DoSyncParent(const std::string& path) = 0;

 private:
  const std::shared_ptr<MappingBudget> mapping_budget_ = std::make_shared<MappingBudget>();
};

// The real file system: one object for the whole process, never destroyed.
FileSystem* PosixFileSystem();

}  // namespace rumcask

#endif  // RUMCASK_CORE_SYSTEM_FILE_SYSTEM_H_
