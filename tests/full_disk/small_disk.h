// A file system of its own on a loop device.

#ifndef RUMCASK_TESTS_FULL_DISK_SMALL_DISK_H_
#define RUMCASK_TESTS_FULL_DISK_SMALL_DISK_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace rumcask {

// Needs root and loop devices.
class SmallDisk {
 public:
  // Makes an ext4 file system of that size in a file in `directory`, and mounts it there, seen by
  // this process and its children only.
  static absl::StatusOr<std::unique_ptr<SmallDisk>> Make(const std::string& directory,
                                                         uint64_t bytes);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  std::string Path(const std::string& name) const { return mount_point_ + "/" + name; }
  // What anybody may still write.
  uint64_t FreeBytes() const;

 private:
  SmallDisk(std::string image, std::string mount_point)
      : image_(std::move(image)), mount_point_(std::move(mount_point)) {}

  const std::string image_;
  const std::string mount_point_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_FULL_DISK_SMALL_DISK_H_
