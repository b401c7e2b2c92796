// The seam between rumcask and the operating system.
//
// Every operation on a database's files, and every store into a mapped file, goes through the
// classes here, so that a test can stand in the place of the system: refuse the n-th call, return
// half of it, or cut the power between any two of them and keep what a disk may keep.
//
// The virtual functions are as thin as system calls: they may be interrupted, transfer less than
// asked, and answer with a negated errno. The public functions above them do what callers want:
// repeat after EINTR and short transfers, and name the file in the error. There, and nowhere else,
// EINTR is dealt with: close is not repeated, since Linux frees the descriptor in any case, and
// mprotect is interrupted only in a process that is being killed.
//
// Errors map so: ENOENT NotFound; EEXIST AlreadyExists; ENOSPC, EDQUOT, EFBIG, EMFILE, ENFILE,
// ENOMEM ResourceExhausted; EACCES, EPERM, EROFS PermissionDenied; ENOTDIR, ELOOP
// FailedPrecondition; everything else Internal. Opening what is no regular file, for which DoOpen
// answers EISDIR, ELOOP, ENXIO or EMEDIUMTYPE, is FailedPrecondition. Of what is open already
// nothing can be missing or be there before, so that ENOENT, EEXIST, ENOTDIR and ELOOP are Internal
// where no name is looked up.
//
// Thread-safety: FileSystem and Directory may be used from any thread. A File may be read from any
// number of threads; writes to disjoint ranges may run beside them.

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

  char* data() const { return data_; }
  size_t size() const { return size_; }

  // Must be called after every store into the mapping and before anyone is told of it. Costs one
  // never-taken branch on a real file.
  void Wrote(uint64_t offset, size_t length) {
    if (observed_) DoWrote(offset, length);
  }

  // Brings the pages of [offset, offset + length) into memory, writable before ProtectReadOnly. A
  // hint: failure costs page faults later, nothing else.
  virtual void Populate(uint64_t offset, size_t length) = 0;

  // Makes further stores fault. Used when a segment is sealed, so that a stray pointer of the host
  // program cannot change sealed data. The pages may have to be brought in again.
  virtual absl::Status ProtectReadOnly() = 0;

 protected:
  MappedRegion(char* data, size_t size, bool observed)
      : data_(data), size_(size), observed_(observed) {}
  virtual void DoWrote(uint64_t /*offset*/, size_t /*length*/) {}

 private:
  char* const data_;
  const size_t size_;
  const bool observed_;
};

enum class LockKind { kShared, kExclusive };

// An open file. Destroying it closes it.
class File {
 public:
  virtual ~File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // The path, for messages.
  const std::string& name() const { return name_; }

  // Reads exactly `size` bytes; OutOfRange if the file ends before.
  absl::Status Read(uint64_t offset, void* buffer, size_t size) const;
  // Reads up to `size` bytes, fewer only at the end of the file.
  absl::StatusOr<size_t> ReadUpTo(uint64_t offset, void* buffer, size_t size) const;
  // Writes everything at `offset`, extending the file if need be. After an error an unknown part
  // is written.
  absl::Status Write(uint64_t offset, std::string_view data);
  // The same for several pieces, in order; at most 1024.
  absl::Status Write(uint64_t offset, std::vector<iovec> pieces);
  absl::Status Truncate(uint64_t size);
  // fdatasync: on OK, the bytes and the size needed to reach them survive a power cut. After an
  // error nothing may be concluded, and the kernel, which tells of it once, might answer a
  // repetition with OK: every later call, of whatever thread, returns the first error.
  absl::Status Sync();
  absl::StatusOr<uint64_t> Size() const;
  // Maps [0, size), which may reach past the end of the file.
  absl::StatusOr<std::unique_ptr<MappedRegion>> Map(size_t size, bool writable);
  // flock without waiting; Unavailable if another holder is in the way. Released with the file,
  // even while a forked child has a copy of it.
  absl::Status TryLock(LockKind kind);
  // To be called in a forked child only, which would else keep the lock when its parent has died:
  // closes the child's copy and leaves the lock to the parent. Takes no lock and no memory. The
  // file can't be used after it, only destroyed.
  virtual void CloseInForkedChild() {}
  // Tells the kernel that reads will be at random places. A hint.
  virtual void AdviseRandom() {}
  // False if the last name of the file was removed, so that nobody will find what is written to it.
  virtual bool IsLinked() const { return true; }

 protected:
  explicit File(std::string name) : name_(std::move(name)) {}

  // Each returns a negated errno on failure; transfers may be short and may return -EINTR.
  virtual int64_t DoPread(uint64_t offset, void* buffer, size_t size) const = 0;
  virtual int64_t DoPwritev(uint64_t offset, const iovec* pieces, int count) = 0;
  virtual int DoTruncate(uint64_t size) = 0;
  virtual int DoSync() = 0;
  virtual int64_t DoSize() const = 0;
  virtual int DoMap(size_t size, bool writable, std::unique_ptr<MappedRegion>* region) = 0;
  virtual int DoLock(LockKind kind) = 0;

 private:
  const std::string name_;
  // Held during the sync, so that no other thread's can begin between a failure and its note.
  Mutex sync_mutex_;
  absl::Status sync_status_ ABSL_GUARDED_BY(sync_mutex_);
};

enum class OpenMode {
  kReadOnly,         // must exist
  kReadWrite,        // must exist
  kCreateNew,        // must not exist; read-write
  kCreateOrKeep,     // created empty if missing; read-write
  kCreateOrReplace,  // emptied if it exists; read-write
};

// What tells two spellings of one directory apart from two directories.
struct DirectoryIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
};

// An open directory. Names are single components: no slash, no "." or "..". Symbolic links are not
// followed; anything but a regular file is refused.
class Directory {
 public:
  virtual ~Directory() = default;
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  const std::string& path() const { return path_; }

  // If there are no descriptors left, the source of them is asked for one.
  absl::StatusOr<std::unique_ptr<File>> Open(std::string_view name, OpenMode mode);
  // The directory itself, to be locked; nothing else can be done with it.
  absl::StatusOr<std::unique_ptr<File>> OpenForLocking();
  absl::Status Unlink(std::string_view name);
  // Replaces `to` in one step.
  absl::Status Rename(std::string_view from, std::string_view to);
  // Makes creations, renames and unlinks so far survive a power cut.
  absl::Status Sync();
  // Names of everything in it, in no order, without "." and "..".
  absl::StatusOr<std::vector<std::string>> List();
  virtual DirectoryIdentity identity() const = 0;
  // False if it was removed, so that nobody will find what is written in it.
  virtual bool IsLinked() const { return true; }

  // Sets who closes a descriptor when Open has met EMFILE or ENFILE: called with the name that is
  // to be opened, on the thread that opens, as often as that goes on; false if there is none to
  // close. To be set before other threads use the directory.
  using DescriptorSource = std::function<bool(std::string_view name)>;
  void SetDescriptorSource(DescriptorSource source) { source_ = std::move(source); }

 protected:
  explicit Directory(std::string path) : path_(std::move(path)) {}

  virtual int DoOpen(const std::string& name, OpenMode mode, std::unique_ptr<File>* file) = 0;
  virtual int DoOpenForLocking(std::unique_ptr<File>* file) = 0;
  virtual int DoUnlink(const std::string& name) = 0;
  virtual int DoRename(const std::string& from, const std::string& to) = 0;
  virtual int DoSync() = 0;
  virtual int DoList(std::vector<std::string>* names) = 0;

 private:
  const std::string path_;
  DescriptorSource source_;
};

// What the system lets this process have.
struct ProcessLimits {
  uint64_t descriptors = 1024;
  uint64_t mappings = 65530;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // As they are now. The default is Linux's.
  virtual ProcessLimits Limits() const { return ProcessLimits(); }
  // Of all databases that are opened through this.
  std::shared_ptr<MappingBudget> mapping_budget() const { return mapping_budget_; }

  // Opens a directory; NotFound if there is none, FailedPrecondition if it is something else,
  // InvalidArgument if the path is empty.
  absl::StatusOr<std::unique_ptr<Directory>> OpenDirectory(std::string_view path);
  // Creates one directory, mode 0700. AlreadyExists if anything is there, NotFound if its parent
  // does not exist.
  absl::Status CreateDirectory(std::string_view path);
  // Makes the entry of `path` in its parent directory survive a power cut.
  absl::Status SyncParent(std::string_view path);

 protected:
  virtual int DoOpenDirectory(const std::string& path, std::unique_ptr<Directory>* directory) = 0;
  virtual int DoCreateDirectory(const std::string& path) = 0;
  virtual int DoSyncParent(const std::string& path) = 0;

 private:
  const std::shared_ptr<MappingBudget> mapping_budget_ = std::make_shared<MappingBudget>();
};

// The real one: one object for the process, never destroyed.
FileSystem* PosixFileSystem();

}  // namespace rumcask

#endif  // RUMCASK_CORE_SYSTEM_FILE_SYSTEM_H_
