// The directory of an index on disk, for plugins.

#ifndef RUMCASK_CORE_PLUGIN_INDEX_DIRECTORY_H_
#define RUMCASK_CORE_PLUGIN_INDEX_DIRECTORY_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace rumcask {

// Makes DATABASE/index/NAME and, if need be, DATABASE/index, both with mode 0700, and makes their
// entries survive a power cut. OK if they exist. If DATABASE/index is anything but a directory, for
// example a symbolic link, it is first renamed to DATABASE/index.N with the first N that is free.
absl::Status MakeIndexDirectory(const std::string& path);

// Does only this renaming; `path` is DATABASE/index.
absl::Status PutAsideIfNoDirectory(const std::string& path);

// Removes the directory and everything in it. Symbolic links are removed, not what they point to;
// if DATABASE/index itself is a link, nothing is removed. OK if there is no directory.
absl::Status RemoveIndexDirectory(const std::string& path);

// Removes the directory `index` of the open directory `database`, with all indexes. OK if there is
// none, or something else, which stays. `path` is that of the database, for messages.
absl::Status RemoveIndexes(int database, const std::string& path);

// FailedPrecondition, naming the culprit, if the path is not a directory or leads through a link,
// or if the directory contains anything but regular files. Libraries either follow such a thing
// elsewhere or report it as an error of whatever call fails first.
absl::Status CheckIndexDirectory(const std::string& path);

// Bytes that the files in the directory take on disk.
uint64_t IndexDirectoryBytes(const std::string& path);

}  // namespace rumcask

#endif  // RUMCASK_CORE_PLUGIN_INDEX_DIRECTORY_H_
