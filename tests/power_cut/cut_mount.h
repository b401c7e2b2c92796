// Mounts a CutDisk as a file system, by FUSE.
//
// A thread of this process serves the mount, so this process must not use the files below it; other
// processes may. Each write reaches the disk when it is made. Stores into mappings stay in the
// kernel's page cache until they are synced or the kernel writes them back.

#ifndef RUMCASK_TESTS_POWER_CUT_CUT_MOUNT_H_
#define RUMCASK_TESTS_POWER_CUT_CUT_MOUNT_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "tests/power_cut/cut_disk.h"

struct fuse_session;

namespace rumcask {

class CutMount {
 public:
  // Makes later mounts visible only to this process and those it starts, so that they disappear
  // with it, however it ends. Must be called before any thread is started. Where the system does
  // not allow this, mounts are visible to the whole machine, and each must be unmounted.
  static void KeepPrivate();

  // Returns Unavailable, with the reason, if this machine cannot mount it. `disk` must outlive the
  // mount.
  static absl::StatusOr<std::unique_ptr<CutMount>> Mount(CutDisk* disk, const std::string& path);
  // Unmounts. All processes that had files open there must have ended.
  ~CutMount();
  CutMount(const CutMount&) = delete;
  CutMount& operator=(const CutMount&) = delete;

 private:
  CutMount(fuse_session* session, std::string path);

  fuse_session* const session_;
  const std::string path_;
  std::thread server_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_POWER_CUT_CUT_MOUNT_H_
