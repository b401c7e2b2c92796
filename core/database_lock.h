// Keeps a database to one process, and to one DB within it.

#ifndef RUMCASK_CORE_DATABASE_LOCK_H_
#define RUMCASK_CORE_DATABASE_LOCK_H_

#include <memory>

#include "absl/status/statusor.h"

#include "core/file_system.h"

namespace rumcask {

// Holds flock on DB/LOCK, exclusively for a writer, shared for readers, and an entry in a table of
// this process by (device, inode) of the directory, so that another spelling of the path, a hard
// link or a bind mount is the same database. Let go by destruction. LOCK is never unlinked: an
// unlinked lock file is how two processes come to hold two locks.
class DatabaseLock {
 public:
  // Unavailable, naming the holder as far as known, if it is held elsewhere. `create`s LOCK if
  // missing; without it, a missing LOCK is NotFound.
  static absl::StatusOr<std::unique_ptr<DatabaseLock>> Acquire(Directory* directory, LockKind kind,
                                                               bool create);
  ~DatabaseLock();
  DatabaseLock(const DatabaseLock&) = delete;
  DatabaseLock& operator=(const DatabaseLock&) = delete;

 private:
  DatabaseLock(DirectoryIdentity identity, LockKind kind) : identity_(identity), kind_(kind) {}

  const DirectoryIdentity identity_;
  const LockKind kind_;
  std::unique_ptr<File> file_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_DATABASE_LOCK_H_
