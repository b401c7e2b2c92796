#include "core/log/database_lock.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "core/format/format.h"
#include "core/system/mutex.h"

namespace rumcask {

// The databases that this process has open; a forked child has none. Its mutex is held while
// files are opened, locked, unlocked and closed, and around fork, so that a child finds every lock
// either here, and closes its copy, or not yet begun.
class ProcessTable {
 public:
  static ProcessTable& Get() {
    static ProcessTable* const table = [] {
      (void)::pthread_atfork([] { Get().BeforeFork(); }, [] { Get().AfterForkInParent(); },
                             [] { Get().AfterForkInChild(); });
      return new ProcessTable;
    }();
    return *table;
  }

  absl::Status Take(DatabaseLock* lock, Directory* directory, bool create) {
    const Key key = KeyOf(*lock);
    MutexLock guard(mutex_);
    const auto held = holders_.find(key);
    const int holders = held == holders_.end() ? 0 : held->second;
    const bool writes = lock->kind_ == LockKind::kExclusive;
    if (writes ? holders != 0 : holders < 0) {
      return absl::UnavailableError(
          absl::StrCat(directory->path(), " is open in this process (pid ", ::getpid(), ")"));
    }
    absl::Status status = lock->LockFiles(directory, create);
    if (!status.ok()) {
      lock->UnlockFiles();
      return status;
    }
    holders_[key] = writes ? -1 : holders + 1;
    locks_.insert(lock);
    return status;
  }

  // Nothing if it was not taken, or by the parent of this process.
  void Release(DatabaseLock* lock) {
    MutexLock guard(mutex_);
    if (locks_.erase(lock) == 0) return;
    lock->UnlockFiles();
    const auto held = holders_.find(KeyOf(*lock));
    held->second = lock->kind_ == LockKind::kExclusive ? 0 : held->second - 1;
    if (held->second == 0) holders_.erase(held);
  }

 private:
  using Key = std::pair<uint64_t, uint64_t>;

  static Key KeyOf(const DatabaseLock& lock) {
    return {lock.identity_.device, lock.identity_.inode};
  }

  void BeforeFork() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.Lock(); }
  void AfterForkInParent() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.Unlock(); }
  void AfterForkInChild() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (DatabaseLock* lock : locks_) lock->CloseInForkedChild();
    locks_.clear();
    holders_.clear();
    mutex_.Unlock();
  }

  Mutex mutex_;
  // -1 a writer, otherwise the number of readers.
  std::map<Key, int> holders_ ABSL_GUARDED_BY(mutex_);
  std::set<DatabaseLock*> locks_ ABSL_GUARDED_BY(mutex_);
};

namespace {

std::string HostName() {
  char host[128] = "";
  (void)::gethostname(host, sizeof(host) - 1);
  return host;
}

// Whether another process with that number exists. A line with this process's own number was left
// by an earlier process that had the same.
bool IsOther(pid_t pid) { return pid != ::getpid() && (::kill(pid, 0) == 0 || errno == EPERM); }

// The line that a writer has left in LOCK, if it may still be true. A process that was killed
// leaves one too, and whether a process of another machine still exists cannot be known here.
std::string Holder(const File& file) {
  char text[256];
  absl::StatusOr<size_t> size = file.ReadUpTo(0, text, sizeof(text));
  const std::string line = size.ok() ? std::string(text, *size) : std::string();
  // The file may hold anything, so only a plain line is repeated.
  for (char c : line) {
    if (c < ' ' || c > '~') return "";
  }
  const size_t number_end = line.find(" on ");
  pid_t pid = 0;
  if (line.substr(0, 4) != "pid " || number_end == std::string::npos ||
      !absl::SimpleAtoi(line.substr(4, number_end - 4), &pid) || pid <= 0) {
    return "";
  }
  const bool here = line.substr(number_end + 4) == HostName();
  return here && !IsOther(pid) ? "" : line;
}

absl::Status HeldElsewhere(Directory* directory, LockKind wanted) {
  absl::StatusOr<std::unique_ptr<File>> file = directory->Open(kLockName, OpenMode::kReadOnly);
  std::string holder = file.ok() ? Holder(**file) : std::string();
  if (holder.empty()) {
    holder = wanted == LockKind::kExclusive ? "which has left no name; readers leave none"
                                            : "which has left no name";
  }
  return absl::UnavailableError(
      absl::StrCat(directory->path(), " is open in another process, ", holder));
}

absl::Status WasRemoved(Directory* directory) {
  return absl::UnavailableError(
      absl::StrCat(directory->path(), " was removed by another process at this moment"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DatabaseLock>> DatabaseLock::Acquire(Directory* directory,
                                                                    LockKind kind, bool create) {
  std::unique_ptr<DatabaseLock> lock(new DatabaseLock(directory->identity(), kind));
  absl::Status status = ProcessTable::Get().Take(lock.get(), directory, create);
  if (!status.ok()) return status;
  return lock;
}

DatabaseLock::~DatabaseLock() { ProcessTable::Get().Release(this); }

absl::Status DatabaseLock::LockFiles(Directory* directory, bool create) {
  const bool writes = kind_ == LockKind::kExclusive;
  absl::StatusOr<std::unique_ptr<File>> opened = directory->OpenForLocking();
  if (!opened.ok()) return opened.status();
  directory_ = std::move(*opened);
  absl::Status status = directory_->TryLock(kind_);
  if (absl::IsUnavailable(status)) return HeldElsewhere(directory, kind_);
  if (!status.ok()) return status;

  opened =
      directory->Open(kLockName, create ? OpenMode::kCreateOrKeep
                                        : (writes ? OpenMode::kReadWrite : OpenMode::kReadOnly));
  if (!directory->IsLinked()) return WasRemoved(directory);
  if (absl::IsNotFound(opened.status())) return absl::OkStatus();
  if (!opened.ok()) return opened.status();
  file_ = std::move(*opened);
  status = file_->TryLock(kind_);
  if (absl::IsUnavailable(status)) return HeldElsewhere(directory, kind_);
  if (!status.ok()) return status;
  // Somebody else may have a new one by now.
  if (!file_->IsLinked()) return WasRemoved(directory);
  // The line is for messages only, so a full disk does not keep anybody from getting the lock.
  if (writes && file_->Truncate(0).ok()) {
    named_ = true;
    (void)file_->Write(0, absl::StrCat("pid ", ::getpid(), " on ", HostName()));
  }
  return absl::OkStatus();
}

void DatabaseLock::UnlockFiles() {
  if (named_) (void)file_->Truncate(0);
  file_.reset();
  directory_.reset();
}

void DatabaseLock::CloseInForkedChild() {
  if (file_ != nullptr) file_->CloseInForkedChild();
  directory_->CloseInForkedChild();
}

}  // namespace rumcask
