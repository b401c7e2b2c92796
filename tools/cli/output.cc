#include "tools/cli/output.h"

#include <poll.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"

namespace rumcask::cli {
namespace {

constexpr size_t kBufferBytes = size_t{64} << 10;

}  // namespace

Output::Output(int fd, std::string_view name) : fd_(fd), name_(name) {
  buffer_.reserve(kBufferBytes);
}

void Output::Append(std::string_view bytes) {
  if (buffer_.size() + bytes.size() > kBufferBytes) {
    Write(buffer_);
    buffer_.clear();
    if (bytes.size() >= kBufferBytes) {
      Write(bytes);
      return;
    }
  }
  buffer_.append(bytes);
}

absl::Status Output::Flush() {
  Write(buffer_);
  buffer_.clear();
  return status_;
}

void Output::Write(std::string_view bytes) {
  while (!bytes.empty() && status_.ok()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EPIPE && fd_ == STDOUT_FILENO) {
      // The reader has gone, as `head` does. That is no error, and there is nothing left to do.
      ::signal(SIGPIPE, SIG_DFL);
      ::raise(SIGPIPE);
      status_ = absl::CancelledError("nobody reads standard output");
    } else if (errno == EAGAIN) {
      // The file is non-blocking because another process made it so.
      struct pollfd ready = {fd_, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      status_ =
          absl::InternalError(absl::StrFormat("cannot write %s: %s", name_, std::strerror(errno)));
    }
  }
}

absl::Status Print(std::string_view text) {
  Output output(STDOUT_FILENO, "standard output");
  output.Append(text);
  return output.Flush();
}

}  // namespace rumcask::cli
