// The file for what a load has left out.

#ifndef RUMCASK_TOOLS_CLI_REJECTS_H_
#define RUMCASK_TOOLS_CLI_REJECTS_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"

#include "tools/cli/output.h"

namespace rumcask::cli {

// Makes the file when the first record is added, so that a load without rejects leaves none.
class Rejects {
 public:
  // Without a path they go nowhere.
  explicit Rejects(std::optional<std::string> path) : path_(std::move(path)) {}
  ~Rejects();
  Rejects(const Rejects&) = delete;
  Rejects& operator=(const Rejects&) = delete;

  // Whether they go to a file.
  bool copies() const { return path_.has_value(); }

  // FailedPrecondition if there is such a file, as it could be the one that is loaded, or if it
  // would be a part of the database in `database`.
  absl::Status Check(const std::string& database) const;

  // Adds the text of a record, without the newline at its end. The file that is made for the first
  // one begins with `header` unless that is empty.
  absl::Status Add(std::string_view header, std::string_view text);
  // Writes what was added.
  absl::Status Flush();
  // The same; what was added then survives a power cut. Nothing can be added any more.
  absl::Status Close();

 private:
  const std::optional<std::string> path_;
  int fd_ = -1;
  std::optional<Output> output_;
};

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_REJECTS_H_
