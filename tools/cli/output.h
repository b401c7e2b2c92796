// Standard output, whose errors count.

#ifndef RUMCASK_TOOLS_CLI_OUTPUT_H_
#define RUMCASK_TOOLS_CLI_OUTPUT_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace rumcask::cli {

// A buffer in front of a file. After the first error everything is dropped and the error kept. A
// standard output that nobody reads any more ends the process in silence, by SIGPIPE.
class Output {
 public:
  // Does not own `fd`. `name` is for messages.
  Output(int fd, std::string_view name);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void Append(std::string_view bytes);

  // What went wrong so far, if anything.
  const absl::Status& status() const { return status_; }

  // Writes what is buffered. Without it the end is lost.
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
