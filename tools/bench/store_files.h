// The files of a benchmarked store, examined from outside.

#ifndef RUMCASK_TOOLS_BENCH_STORE_FILES_H_
#define RUMCASK_TOOLS_BENCH_STORE_FILES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace rumcask::bench {

// Bytes that the files below `path` occupy on disk, whatever their length.
uint64_t AllocatedBytes(const std::string& path);

// How much of the files is in the page cache.
struct Residency {
  uint64_t bytes = 0;
  uint64_t resident_bytes = 0;
};
Residency PageCacheOf(const std::string& path);

// Writes the files below `path` to the device and then asks the kernel to drop their pages, with
// posix_fadvise and, if permitted, with /proc/sys/vm/drop_caches. The store should be closed.
// PageCacheOf tells what is left.
absl::Status DropPageCache(const std::string& path);

// Reads all files once.
absl::Status FillPageCache(const std::string& path);

// The directory that contains the stores of a run, each in its own directory. Removes nothing that
// was not made by a BenchDirectory, because a mistyped path must not destroy anything.
class BenchDirectory {
 public:
  // FailedPrecondition if the directory exists, is not empty and is not a BenchDirectory; NotFound
  // if its parent is missing.
  static absl::Status Make(const std::string& path);

  // The path of the store's directory, which this does not create.
  static std::string StorePath(const std::string& path, std::string_view store);
  // Makes it anew and empty.
  static absl::Status MakeEmpty(const std::string& store_path);

  // Removes all of it.
  static void Remove(const std::string& path);
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_STORE_FILES_H_
