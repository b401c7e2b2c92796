#include "tools/cli/file_content.h"

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"

namespace rumcask::cli {

absl::StatusOr<std::string> FileContent(const std::string& path) {
  const auto error = [&path](const char* operation) {
    return absl::FailedPreconditionError(
        absl::StrFormat("cannot %s %s: %s", operation, path, std::strerror(errno)));
  };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return error("open");
  const auto close_file = absl::MakeCleanup([fd] { ::close(fd); });
  std::string content;
  char buffer[size_t{64} << 10];
  while (true) {
    const ssize_t count = ::read(fd, buffer, sizeof buffer);
    if (count == 0) return content;
    if (count > 0) {
      content.append(buffer, static_cast<size_t>(count));
    } else if (errno != EINTR) {
      return error("read");
    }
  }
}

}  // namespace rumcask::cli
