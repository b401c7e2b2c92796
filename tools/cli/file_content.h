// Small files, as a whole.

#ifndef RUMCASK_TOOLS_CLI_FILE_CONTENT_H_
#define RUMCASK_TOOLS_CLI_FILE_CONTENT_H_

#include <string>

#include "absl/status/statusor.h"

namespace rumcask::cli {

// FailedPrecondition naming the file and why if it cannot be read.
absl::StatusOr<std::string> FileContent(const std::string& path);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_FILE_CONTENT_H_
