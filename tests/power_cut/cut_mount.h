// A CutDisk as a mounted file system, by FUSE.
//
// Whoever has it mounted must leave what is below it alone and let other processes work there: the
// thread that serves it is one of this process. Writes come one by one, as they are made; stores
// into mappings stay in the system's page cache until they are synced or the system writes them.

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
  // Keeps the mounts that follow from all processes but this one and those it starts, so that they
  // are gone with it however it ends. Before any thread is started. Where that is not allowed
  // mounts are the whole machine's, and each must be taken away.
  static void KeepPrivate();

  // Unavailable if this machine can't do it, with the reason. `disk` must outlive the mount.
  static absl::StatusOr<std::unique_ptr<CutMount>> Mount(CutDisk* disk, const std::string& path);
  // Takes it away. All processes that had files open there must have ended.
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
