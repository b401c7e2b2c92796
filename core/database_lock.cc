#include "core/database_lock.h"

#include <pthread.h>
#include <unistd.h>

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/format.h"
#include "core/mutex.h"

namespace rumcask {
namespace {

// Who has what open in this process: -1 a writer, otherwise the number of readers. A forked child
// has nothing open.
class ProcessTable {
 public:
  using Key = std::pair<uint64_t, uint64_t>;

  bool Take(Key key, LockKind kind) {
    MutexLock lock(mutex_);
    int& holders = holders_[key];
    if (kind == LockKind::kExclusive ? holders != 0 : holders < 0) return false;
    holders = kind == LockKind::kExclusive ? -1 : holders + 1;
    return true;
  }

  void Release(Key key, LockKind kind) {
    MutexLock lock(mutex_);
    int& holders = holders_[key];
    holders = kind == LockKind::kExclusive ? 0 : holders - 1;
    if (holders == 0) holders_.erase(key);
  }

  // Around fork, so that the child finds it unlocked, whatever other threads were doing.
  void BeforeFork() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.Lock(); }
  void AfterForkInParent() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.Unlock(); }
  void AfterForkInChild() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    holders_.clear();
    mutex_.Unlock();
  }

 private:
  Mutex mutex_;
  std::map<Key, int> holders_ ABSL_GUARDED_BY(mutex_);
};

ProcessTable& Table() {
  static ProcessTable* const table = [] {
    (void)::pthread_atfork([] { Table().BeforeFork(); }, [] { Table().AfterForkInParent(); },
                           [] { Table().AfterForkInChild(); });
    return new ProcessTable;
  }();
  return *table;
}

std::string Holder(const File& file) {
  char text[256];
  absl::StatusOr<size_t> size = file.ReadUpTo(0, text, sizeof(text));
  std::string holder = size.ok() ? std::string(text, *size) : std::string();
  // The file may hold anything; only a plain line is worth repeating.
  for (char c : holder) {
    if (c < ' ' || c > '~') holder.clear();
  }
  return holder;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DatabaseLock>> DatabaseLock::Acquire(Directory* directory,
                                                                    LockKind kind, bool create) {
  const DirectoryIdentity identity = directory->identity();
  const ProcessTable::Key key{identity.device, identity.inode};
  if (!Table().Take(key, kind)) {
    return absl::UnavailableError(
        absl::StrCat(directory->path(), " is open in this process (pid ", ::getpid(), ")"));
  }
  // From here on the destructor gives the entry back.
  std::unique_ptr<DatabaseLock> lock(new DatabaseLock(identity, kind));
  const bool writes = kind == LockKind::kExclusive;
  absl::StatusOr<std::unique_ptr<File>> file =
      directory->Open(kLockName, create ? OpenMode::kCreateOrKeep
                                        : (writes ? OpenMode::kReadWrite : OpenMode::kReadOnly));
  if (!file.ok()) return file.status();
  absl::Status status = (*file)->TryLock(kind);
  if (absl::IsUnavailable(status)) {
    // A reader's pid is not in the file; a writer's may be that of an earlier one.
    const std::string holder = Holder(**file);
    return absl::UnavailableError(
        absl::StrCat(directory->path(), " is open in another process, ",
                     holder.empty() ? std::string("which did not leave its name") : holder,
                     writes ? ", or in readers" : ""));
  }
  if (!status.ok()) return status;
  lock->file_ = std::move(*file);
  if (writes) {
    char host[128] = "";
    (void)::gethostname(host, sizeof(host) - 1);
    // For the message only: on a full disk the lock must be had all the same.
    if (lock->file_->Truncate(0).ok()) {
      (void)lock->file_->Write(0, absl::StrCat("pid ", ::getpid(), " on ", host));
    }
  }
  return lock;
}

DatabaseLock::~DatabaseLock() {
  // The file first: between the two a second open here must still be refused.
  file_.reset();
  Table().Release({identity_.device, identity_.inode}, kind_);
}

}  // namespace rumcask
