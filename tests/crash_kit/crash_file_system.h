// A file system in memory that knows what a power cut may leave of its content.
//
// crash_image.h defines what that is. In addition:
//   - A file's sync makes its bytes and its size durable, but not its name. The name needs a sync
//     of its directory, and a directory's own name needs SyncParent.
//   - A sync covers what was done before it began. What other threads do while it runs (for
//     example, while the observer holds it up) is covered by the next one.
//   - Bytes stored into a mapping are visible to other mappings of the file at once, but to reads
//     and images only after MappedRegion::Wrote. Wrote past the file's end aborts the program,
//     because on a real system such a store is lost or raises SIGBUS. Wrote after ProtectReadOnly,
//     or on a mapping that is not writable, aborts as well.
//   - An open file keeps working after it was unlinked or replaced.
//
// To enumerate crashes, set an observer and let it cut one or more images after each operation.
// Start a CrashFileSystem from each image, recover, and compare. Memory grows with what is not
// synced, because every version of every dirty sector is kept.
//
// Thread-safe, except for the functions under "damage", which must not run beside other calls.
// Files, directories and mappings may outlive the CrashFileSystem.

#ifndef RUMCASK_TESTS_CRASH_KIT_CRASH_FILE_SYSTEM_H_
#define RUMCASK_TESTS_CRASH_KIT_CRASH_FILE_SYSTEM_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "rumcask/crash_image.h"
#include "rumcask/file_system.h"

namespace rumcask {

struct CrashState;

class CrashFileSystem : public FileSystem {
 public:
  // Called once before and once after each operation that changes something, including those that
  // fail: "pwrite", "wrote", "truncate", "sync", "create", "rename", "unlink", "sync directory",
  // "mkdir", "rmdir", "sync parent". Operations are numbered from 1. No lock is held, so the
  // observer may cut images, start other file systems, or block. Operations that it makes on this
  // file system are observed, too.
  using Observer = std::function<void(uint64_t operation, const char* what, const std::string& name,
                                      bool after)>;

  // Starts with the empty, durable directory `root`.
  explicit CrashFileSystem(std::string_view root = "/crash");
  // Starts from what a cut left: all of it is durable and nothing is locked. Does not change the
  // image.
  explicit CrashFileSystem(const CrashImage& image);
  ~CrashFileSystem() override;

  void SetObserver(Observer observer);
  // The number of the latest operation.
  uint64_t operation_count() const;

  // The disk's content if the power fails now and the disk has kept what `policy` says.
  CrashImage Cut(const KeepPolicy& policy) const;

  // What the next process finds after this one has died: everything that was done. No more of it is
  // durable than here, so a power cut may still take the rest. Nothing is open or locked.
  std::unique_ptr<CrashFileSystem> AfterKill() const;

  // Imitates what systems do after a failed sync: the dirty pages of the file count as clean, so
  // that a later sync succeeds without writing them. A cut may keep or lose them until they are
  // written again.
  void LoseDirty(std::string_view path);

  // The bytes of everything below `directory`, by path relative to it. Names of directories end in
  // a slash.
  std::map<std::string, std::string> Contents(std::string_view directory) const;

  // From now on, all files that have a name take at most `bytes` together. A write that needs more
  // transfers what fits, and the next one fails with ENOSPC.
  void SetCapacity(uint64_t bytes);

  // ---- damage ----
  // These are not operations. They are durable at once, together with everything that was pending
  // in the file or directory. A missing file aborts the program.

  void FlipBit(std::string_view path, uint64_t byte, int bit);
  // Extends the file if need be.
  void Overwrite(std::string_view path, uint64_t offset, std::string_view bytes);
  void TruncateFile(std::string_view path, uint64_t size);
  void RemoveFile(std::string_view path);
  // Replaces or creates `to`.
  void CopyFile(std::string_view from, std::string_view to);
  void WriteFile(std::string_view path, std::string_view bytes);

 protected:
  int DoOpenDirectory(const std::string& path, std::unique_ptr<Directory>* directory) override;
  int DoCreateDirectory(const std::string& path, uint32_t mode) override;
  int DoRemoveDirectory(const std::string& path) override;
  int DoSyncParent(const std::string& path) override;

 private:
  explicit CrashFileSystem(std::shared_ptr<CrashState> state);

  const std::shared_ptr<CrashState> state_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_KIT_CRASH_FILE_SYSTEM_H_
