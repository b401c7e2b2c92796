// Reads small files as a whole.

#ifndef RUMCASK_TOOLS_CLI_FILE_CONTENT_H_
#define RUMCASK_TOOLS_CLI_FILE_CONTENT_H_

#include <string>

#include "absl/status/statusor.h"

namespace rumcask::cli {

// FailedPrecondition with the file's name and the reason if it cannot be read.
absl::StatusOr<std::string> FileContent(const std::string& path);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_FILE_CONTENT_H_
