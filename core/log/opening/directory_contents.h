// What a directory holds: a database, or something that must be left alone.

#ifndef RUMCASK_CORE_LOG_OPENING_DIRECTORY_CONTENTS_H_
#define RUMCASK_CORE_LOG_OPENING_DIRECTORY_CONTENTS_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/system/file_system.h"

namespace rumcask {

enum class DirectoryContents {
  // Nothing, or what an interrupted creation or Destroy leaves.
  kEmpty,
  // Files of somebody else, and no database.
  kForeign,
  // Segments, and no MANIFEST.
  kSegments,
  kDatabase,
};

// Judges by the names that are in it.
absl::StatusOr<DirectoryContents> ClassifyDirectory(Directory* directory);

// What to answer to who takes it for a database.
absl::Status ForeignDirectory(std::string_view path);

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_OPENING_DIRECTORY_CONTENTS_H_
