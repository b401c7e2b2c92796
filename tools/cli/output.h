// Output to a file such as standard output, with its errors.

#ifndef RUMCASK_TOOLS_CLI_OUTPUT_H_
#define RUMCASK_TOOLS_CLI_OUTPUT_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace rumcask::cli {

// A buffer in front of a file. After the first error all output is dropped and the error is kept.
// If nobody reads standard output any more, the process ends silently by SIGPIPE.
class Output {
 public:
  // Does not own `fd`. `name` is for messages.
  Output(int fd, std::string_view name);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void Append(std::string_view bytes);

  // The first error so far, or OK.
  const absl::Status& status() const { return status_; }

  // Writes what is buffered. Must be called at the end, or the buffered rest is lost.
  absl::Status Flush();

 private:
  void Write(std::string_view bytes);

  const int fd_;
  const std::string name_;
  std::string buffer_;
  absl::Status status_;
};

// Prints the whole of `text` to standard output.
absl::Status Print(std::string_view text);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_OUTPUT_H_
