// Reads lines of any length in pieces.

#ifndef RUMCASK_TOOLS_CLI_LINE_READER_H_
#define RUMCASK_TOOLS_CLI_LINE_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace rumcask::cli {

// Reads a file line by line, each in pieces of at most a buffer's size:
//
//   while (lines.StartLine()) {
//     while (lines.NextPiece(&piece)) ...
//   }
//   if (!lines.status().ok()) ...
class LineReader {
 public:
  // Does not own `fd`. Begins at the file's current offset.
  explicit LineReader(int fd);
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // Goes to the next line and skips what is left of the current one. False at the end of the file
  // or on an error; status() tells which. After Ctrl-C (see Interrupt) the error is Cancelled.
  bool StartLine();

  // The next piece of the line, without the newline. False at the end of the line. Valid until the
  // next call.
  bool NextPiece(std::string_view* piece);

  // Reads the rest of the line. InvalidArgument if it has more than `limit` bytes.
  absl::Status ReadRest(size_t limit, std::string* line);

  // Whether the line, which was read to its end, ended with a newline and not with the end of the
  // file.
  bool terminated() const { return terminated_; }

  // The number of the line that was started last, counted from 1.
  uint64_t line_number() const { return line_number_; }
  // Bytes of the file that have been consumed.
  uint64_t consumed() const { return consumed_before_buffer_ + position_; }
  const absl::Status& status() const { return status_; }

 private:
  bool Fill();

  const int fd_;
  const std::unique_ptr<char[]> buffer_;
  size_t position_ = 0;
  size_t size_ = 0;
  uint64_t consumed_before_buffer_ = 0;
  uint64_t line_number_ = 0;
  bool in_line_ = false;
  bool terminated_ = false;
  absl::Status status_;
};

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_LINE_READER_H_
