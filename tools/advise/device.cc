#include "tools/advise/device.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"

#include "tools/bench/value_sizes.h"

namespace rumcask::advise {

absl::StatusOr<double> WriteSpeed(const std::string& directory) {
  using Clock = std::chrono::steady_clock;
  constexpr uint64_t kPiece = uint64_t{1} << 20;
  constexpr uint64_t kPieces = 64;
  const std::string path = directory + "/device";
  const auto error = [&path](std::string_view call) {
    return absl::InternalError(absl::StrFormat("%s %s: %s", call, path, std::strerror(errno)));
  };
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return error("open");
  const auto remove = absl::MakeCleanup([&] {
    ::close(fd);
    ::unlink(path.c_str());
  });
  bench::ValueBytes bytes(/*seed=*/1, kPiece);
  const Clock::time_point begin = Clock::now();
  for (uint64_t i = 0; i < kPieces; ++i) {
    for (std::string_view rest = bytes.Next(kPiece); !rest.empty();) {
      const ssize_t written = ::write(fd, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return error("write");
      rest.remove_prefix(static_cast<size_t>(written));
    }
  }
  if (::fdatasync(fd) != 0) return error("fdatasync");
  const std::chrono::duration<double> seconds = Clock::now() - begin;
  return static_cast<double>(kPieces * kPiece) / seconds.count();
}

}  // namespace rumcask::advise
