#include "tools/cli/rejects.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"

namespace rumcask::cli {
namespace {

namespace fs = std::filesystem;

absl::Status CannotCreate(const std::string& path, int error) {
  return absl::FailedPreconditionError(
      absl::StrFormat("cannot create %s: %s", path, std::strerror(error)));
}

absl::Status CannotWrite(const std::string& path, int error) {
  return absl::InternalError(absl::StrFormat("cannot write %s: %s", path, std::strerror(error)));
}

// Without links, as far as the path exists.
fs::path Real(const std::string& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  const fs::path real = fs::weakly_canonical(absolute, error);
  return error ? absolute : real;
}

bool IsWithin(const fs::path& path, const fs::path& directory) {
  return std::mismatch(directory.begin(), directory.end(), path.begin(), path.end()).first ==
         directory.end();
}

}  // namespace

Rejects::~Rejects() {
  if (fd_ >= 0) ::close(fd_);
}

absl::Status Rejects::Check(const std::string& database) const {
  if (!path_) return absl::OkStatus();
  struct stat found;
  if (::lstat(path_->c_str(), &found) == 0) return CannotCreate(*path_, EEXIST);
  if (errno != ENOENT) return CannotCreate(*path_, errno);
  const fs::path parent = fs::path(*path_).parent_path();
  if (::access(parent.empty() ? "." : parent.c_str(), W_OK | X_OK) != 0) {
    return CannotCreate(*path_, errno);
  }
  if (IsWithin(Real(*path_), Real(database))) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s would be a file of the database", *path_));
  }
  return absl::OkStatus();
}

absl::Status Rejects::Add(std::string_view header, std::string_view text) {
  if (!path_) return absl::OkStatus();
  if (!output_) {
    fd_ = ::open(path_->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd_ < 0) return CannotCreate(*path_, errno);
    output_.emplace(fd_, *path_);
    if (!header.empty()) {
      output_->Append(header);
      output_->Append("\n");
    }
  }
  output_->Append(text);
  output_->Append("\n");
  return output_->status();
}

absl::Status Rejects::Flush() { return output_ ? output_->Flush() : absl::OkStatus(); }

absl::Status Rejects::Close() {
  if (fd_ < 0) return absl::OkStatus();
  absl::Status status = output_->Flush();
  if (::fsync(fd_) != 0 && status.ok()) status = CannotWrite(*path_, errno);
  if (::close(std::exchange(fd_, -1)) != 0 && status.ok()) status = CannotWrite(*path_, errno);
  return status;
}

}  // namespace rumcask::cli
