#include "tests/full_disk/small_disk.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace rumcask {
namespace {

absl::Status Run(const std::string& command) {
  const int result = std::system(absl::StrCat(command, " >&2").c_str());
  if (result == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("exit status ", result, ": ", command));
}

absl::Status Failed(const char* what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SmallDisk>> SmallDisk::Make(const std::string& directory,
                                                           uint64_t bytes) {
  std::string image = directory + "/disk.img";
  std::string mount_point = directory + "/disk";
  const int fd = ::open(image.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) return Failed("image");
  const bool sized = ::ftruncate(fd, static_cast<off_t>(bytes)) == 0;
  ::close(fd);
  if (!sized) return Failed("image");
  // The PATH that Bazel gives to tests has no sbin.
  absl::Status status =
      Run(absl::StrCat("PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -F -m 0 ", image));
  if (!status.ok()) return status;
  // Nothing is left mounted, however this process ends. Once for all disks, as threads that a
  // keystore has started stay in the namespace that they began in.
  static const bool apart = ::unshare(CLONE_NEWNS) == 0 &&
                            ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  if (!apart || ::mkdir(mount_point.c_str(), 0700) != 0) return Failed("mount namespace");
  status = Run(absl::StrCat("mount -o loop ", image, " ", mount_point));
  if (!status.ok()) return status;
  return std::unique_ptr<SmallDisk>(new SmallDisk(std::move(image), std::move(mount_point)));
}

SmallDisk::~SmallDisk() {
  ::umount2(mount_point_.c_str(), MNT_DETACH);
  ::rmdir(mount_point_.c_str());
  ::unlink(image_.c_str());
}

uint64_t SmallDisk::FreeBytes() const {
  struct statvfs info;
  if (::statvfs(mount_point_.c_str(), &info) != 0) return 0;
  return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
}

}  // namespace rumcask
