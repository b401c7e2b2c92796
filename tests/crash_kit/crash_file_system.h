// A file system in memory that knows what a power cut may leave of it.
//
// crash_image.h says what that is. Beyond it:
//   - A file's sync makes its bytes and its size durable, but not its name: that takes a sync of
//     its directory, as a directory's own name takes SyncParent.
//   - A sync covers what was done before it began. What other threads do while it runs (say, while
//     the observer holds it up) is covered by the next one.
//   - Bytes stored into a mapping are seen by other mappings of the file at once, but by reads and
//     by images only after MappedRegion::Wrote. Wrote past the file's end aborts the program: on a
//     real system such a store is lost or raises SIGBUS. So does Wrote after ProtectReadOnly or on
//     a mapping that is not writable.
//   - An open file goes on working after it was unlinked or replaced.
//
// Enumerating crashes: set an observer, and in it cut one image or more after each operation; start
// a CrashFileSystem from each image, recover, and compare. Memory grows with what is not synced:
// every version of every dirty sector is kept.
//
// Thread-safe, but for the functions under "damage", which must not run beside other calls. Files,
// directories and mappings may outlive the CrashFileSystem.

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
  // Called once before and once after each operation that changes something, failed ones included:
  // "pwrite", "wrote", "truncate", "sync", "create", "rename", "unlink", "sync directory", "mkdir",
  // "sync parent". Operations are numbered from 1. No lock is held, so it may cut images, start
  // other file systems, or block; operations it makes on this file system are observed too.
  using Observer = std::function<void(uint64_t operation, const char* what, const std::string& name,
                                      bool after)>;

  // Starts with the empty directory `root`, durable.
  explicit CrashFileSystem(std::string_view root = "/crash");
  // Starts from what a cut left: all of it durable, nothing locked. The image stays as it is.
  explicit CrashFileSystem(const CrashImage& image);
  ~CrashFileSystem() override;

  void SetObserver(Observer observer);
  // The number of the latest operation.
  uint64_t operation_count() const;

  // What is on the disk if the power fails now and the disk kept what `policy` says.
  CrashImage Cut(const KeepPolicy& policy) const;

  // What the next process finds after the death of this one: everything that was done, of which no
  // more is durable than here, so that a power cut may still take it. Nothing is open or locked.
  std::unique_ptr<CrashFileSystem> AfterKill() const;

  // A failed sync as systems have it: dirty pages of the file count as clean, so a later sync
  // succeeds without writing them. They may survive a cut or not until they are written anew.
  void LoseDirty(std::string_view path);

  // The bytes of everything below `directory` by path relative to it; directories end in a slash.
  std::map<std::string, std::string> Contents(std::string_view directory) const;

  // From now on the files that have a name take no more than so many bytes together: a write that
  // needs more transfers what fits, and the next one is refused with ENOSPC.
  void SetCapacity(uint64_t bytes);

  // ---- damage ----
  // Not operations; durable at once, with all that was pending in the file or directory. A missing
  // file aborts the program.

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
  int DoCreateDirectory(const std::string& path) override;
  int DoSyncParent(const std::string& path) override;

 private:
  explicit CrashFileSystem(std::shared_ptr<CrashState> state);

  const std::shared_ptr<CrashState> state_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_KIT_CRASH_FILE_SYSTEM_H_
