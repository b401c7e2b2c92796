// Keeps a database to one process, and to one DB within it.

#ifndef RUMCASK_CORE_LOG_DATABASE_LOCK_H_
#define RUMCASK_CORE_LOG_DATABASE_LOCK_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/system/file_system.h"

namespace rumcask {

// Holds three things, exclusively for a writer, shared for readers, in this order:
//
//   an entry in a table of this process by (device, inode) of the directory, so that another
//       spelling of the path, a hard link or a bind mount is the same database;
//   flock on the directory itself, which nobody can remove or replace under it; of a file system
//       on a network it reaches no further than this machine;
//   flock on DB/LOCK, if there is one, which reaches other machines, too, and whoever knows of no
//       other lock. LOCK is unlinked only with the database, by who holds all three; who gets a
//       lock on a LOCK or a directory that has no name any more has got nothing.
//
// The destructor releases all three. A forked child holds nothing: its copies of the descriptors
// are closed before fork returns in it, and fork waits while a lock is being acquired.
class DatabaseLock {
 public:
  // Unavailable if the database is open elsewhere; the message names the holder as far as known.
  // With `create`, LOCK is made if it is missing. Without it, a missing LOCK is no error.
  static absl::StatusOr<std::unique_ptr<DatabaseLock>> Acquire(Directory* directory, LockKind kind,
                                                               bool create);
  ~DatabaseLock();
  DatabaseLock(const DatabaseLock&) = delete;
  DatabaseLock& operator=(const DatabaseLock&) = delete;

 private:
  friend class ProcessTable;

  DatabaseLock(DirectoryIdentity identity, LockKind kind) : identity_(identity), kind_(kind) {}

  absl::Status LockFiles(Directory* directory, bool create);
  void UnlockFiles();
  void CloseInForkedChild();

  const DirectoryIdentity identity_;
  const LockKind kind_;
  std::unique_ptr<File> directory_;
  std::unique_ptr<File> file_;  // LOCK, or null
  bool named_ = false;          // this process, in LOCK
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_DATABASE_LOCK_H_
