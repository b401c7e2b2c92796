// The directory of an index on disk, for plugins.

#ifndef RUMCASK_CORE_PLUGIN_INDEX_DIRECTORY_H_
#define RUMCASK_CORE_PLUGIN_INDEX_DIRECTORY_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace rumcask {

// Makes DATABASE/index/NAME and, if need be, DATABASE/index, both with mode 0700, and makes their
// entries survive a power cut. OK if they exist. What else has the name DATABASE/index, a link
// included, is renamed to DATABASE/index.N, with the first N that is free.
absl::Status MakeIndexDirectory(const std::string& path);

// The renaming alone: `path` is DATABASE/index.
absl::Status PutAsideIfNoDirectory(const std::string& path);

// Removes the directory and everything in it, links themselves and not what they point to, and
// nothing if DATABASE/index is a link. OK if there is none.
absl::Status RemoveIndexDirectory(const std::string& path);

// FailedPrecondition, naming it, if the path is not a directory or reached by a link, or if
// something other than a file is in it: libraries report that as whatever call on it fails first,
// if they don't follow it elsewhere.
absl::Status CheckIndexDirectory(const std::string& path);

// What the files in the directory take on disk.
uint64_t IndexDirectoryBytes(const std::string& path);

}  // namespace rumcask

#endif  // RUMCASK_CORE_PLUGIN_INDEX_DIRECTORY_H_
