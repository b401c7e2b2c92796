#include "tools/cli/line_reader.h"

#include <poll.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"

#include "tools/cli/interrupt.h"

namespace rumcask::cli {
namespace {

constexpr size_t kBufferBytes = size_t{64} << 10;

}  // namespace

LineReader::LineReader(int fd) : fd_(fd), buffer_(new char[kBufferBytes]) {}

bool LineReader::Fill() {
  if (!status_.ok()) return false;
  consumed_before_buffer_ += size_;
  position_ = size_ = 0;
  while (true) {
    const ssize_t count = Interrupt::Raised() ? 0 : ::read(fd_, buffer_.get(), kBufferBytes);
    // Checked again, because Ctrl-C also ends the program that writes into a pipe, and its output
    // is then incomplete.
    if (Interrupt::Raised()) {
      status_ = absl::CancelledError("interrupted");
      return false;
    }
    if (count >= 0) {
      size_ = static_cast<size_t>(count);
      return count > 0;
    }
    if (errno == EAGAIN) {
      struct pollfd ready = {fd_, POLLIN, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      status_ = absl::InternalError(absl::StrFormat("cannot read: %s", std::strerror(errno)));
      return false;
    }
  }
}

bool LineReader::StartLine() {
  std::string_view piece;
  while (NextPiece(&piece)) {
  }
  if (position_ == size_ && !Fill()) return false;
  in_line_ = true;
  terminated_ = false;
  ++line_number_;
  return true;
}

bool LineReader::NextPiece(std::string_view* piece) {
  if (!in_line_) return false;
  if (position_ == size_ && !Fill()) {
    in_line_ = false;
    return false;
  }
  const char* const begin = buffer_.get() + position_;
  const size_t left = size_ - position_;
  const void* const newline = std::memchr(begin, '\n', left);
  if (newline == begin) {
    ++position_;
    in_line_ = false;
    terminated_ = true;
    return false;
  }
  const size_t length =
      newline == nullptr ? left : static_cast<size_t>(static_cast<const char*>(newline) - begin);
  *piece = {begin, length};
  position_ += length;
  return true;
}

absl::Status LineReader::ReadRest(size_t limit, std::string* line) {
  line->clear();
  std::string_view piece;
  while (NextPiece(&piece)) {
    if (piece.size() > limit - line->size()) {
      return absl::InvalidArgumentError(absl::StrFormat("the line is longer than %d bytes", limit));
    }
    line->append(piece);
  }
  return status_;
}

}  // namespace rumcask::cli
