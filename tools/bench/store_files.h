// The files of a benchmarked store, seen from outside.

#ifndef RUMCASK_TOOLS_BENCH_STORE_FILES_H_
#define RUMCASK_TOOLS_BENCH_STORE_FILES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace rumcask::bench {

// Bytes that the files below `path` occupy, whatever their length.
uint64_t AllocatedBytes(const std::string& path);

// What the page cache holds of them.
struct Residency {
  uint64_t bytes = 0;
  uint64_t resident_bytes = 0;
};
Residency PageCacheOf(const std::string& path);

// Writes the files below `path` to the device and then asks the kernel to forget their pages, by
// posix_fadvise and, if it may, by /proc/sys/vm/drop_caches. The store should be closed.
// PageCacheOf tells what came of it.
absl::Status DropPageCache(const std::string& path);

// Reads them all once.
absl::Status FillPageCache(const std::string& path);

// The directory in which a run's stores are, each in its own. Removes nothing that was not made by
// a BenchDirectory: a mistyped path must not cost anything.
class BenchDirectory {
 public:
  // FailedPrecondition if the directory exists, is not empty and is no BenchDirectory; NotFound if
  // its parent is missing.
  static absl::Status Make(const std::string& path);

  // The store's directory, not made yet.
  static std::string StorePath(const std::string& path, std::string_view store);
  // Makes it anew, empty.
  static absl::Status MakeEmpty(const std::string& store_path);

  // All of it.
  static void Remove(const std::string& path);
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_STORE_FILES_H_
