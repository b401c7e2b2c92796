// What a CrashFileSystem shares with its open files, directories and mappings.

#ifndef RUMCASK_TESTS_CRASH_KIT_CRASH_STATE_H_
#define RUMCASK_TESTS_CRASH_KIT_CRASH_STATE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/system/file_system.h"
#include "core/system/mutex.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/crash_image.h"
#include "tests/crash_kit/crash_node.h"

namespace rumcask {

struct CrashState {
  CrashState();

  // Finds what an absolute path refers to; "." and ".." are resolved textually. If there is
  // nothing, the Entry has neither a file nor a directory. The mutex guards the nodes, too.
  Entry Find(std::string_view path) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  std::shared_ptr<DirectoryNode> FindDirectory(std::string_view path) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // How many of `size` bytes at `offset` of `file` there is room for.
  size_t Fit(const FileNode& file, uint64_t offset, size_t size) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // Different for every file system in the process.
  const uint64_t device;

  mutable Mutex mutex;
  uint64_t operations ABSL_GUARDED_BY(mutex) = 0;
  uint64_t time ABSL_GUARDED_BY(mutex) = 0;
  uint64_t next_inode ABSL_GUARDED_BY(mutex) = 1;
  uint64_t capacity ABSL_GUARDED_BY(mutex) = UINT64_MAX;
  std::vector<uint64_t> write_times ABSL_GUARDED_BY(mutex);
  std::shared_ptr<DirectoryNode> root ABSL_GUARDED_BY(mutex);
  std::shared_ptr<const CrashFileSystem::Observer> observer ABSL_GUARDED_BY(mutex);
};

// The parent's path and the last component.
struct SplitPath {
  explicit SplitPath(std::string_view path);
  std::string parent;
  std::string name;
};

// One numbered operation. Calls the observer before and after it.
class CrashOperation {
 public:
  CrashOperation(CrashState* state, const char* what, const std::string& name);
  ~CrashOperation();
  CrashOperation(const CrashOperation&) = delete;
  CrashOperation& operator=(const CrashOperation&) = delete;

  // The time at which the operation began.
  uint64_t began() const { return began_; }

 private:
  void Tell(bool after);

  const char* const what_;
  const std::string name_;
  uint64_t number_;
  uint64_t began_;
  std::shared_ptr<const CrashFileSystem::Observer> observer_;
};

std::unique_ptr<Directory> OpenCrashDirectory(std::shared_ptr<CrashState> state,
                                              const std::string& path,
                                              std::shared_ptr<DirectoryNode> node);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_KIT_CRASH_STATE_H_
