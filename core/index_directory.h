// The directory of an index on disk, for plugins.

#ifndef RUMCASK_CORE_INDEX_DIRECTORY_H_
#define RUMCASK_CORE_INDEX_DIRECTORY_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace rumcask {

// Makes DATABASE/index/NAME and, if need be, DATABASE/index, both with mode 0700, and makes their
// entries survive a power cut. OK if they exist.
absl::Status MakeIndexDirectory(const std::string& path);

// Removes the directory and everything in it, links themselves and not what they point to. OK if
// there is none.
absl::Status RemoveIndexDirectory(const std::string& path);

// FailedPrecondition, naming it, if something other than a file is in the directory: libraries
// report that as whatever call on it fails first, if they don't follow it elsewhere.
absl::Status CheckIndexDirectory(const std::string& path);

// What the files in the directory take on disk.
uint64_t IndexDirectoryBytes(const std::string& path);

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_DIRECTORY_H_
