#include "tools/bench/store_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace rumcask::bench {
namespace {

namespace fs = std::filesystem;

constexpr char kMarker[] = "made_by_rumcask_bench";

std::vector<std::string> FilesBelow(const std::string& path) {
  std::vector<std::string> files;
  std::error_code error;
  fs::recursive_directory_iterator entry(path, error);
  while (!error && entry != fs::recursive_directory_iterator()) {
    std::error_code ignored;
    if (entry->is_regular_file(ignored)) files.push_back(entry->path().string());
    entry.increment(error);
  }
  return files;
}

absl::Status Error(std::string_view operation, const std::string& path, int error) {
  return absl::InternalError(
      absl::StrFormat("cannot %s %s: %s", operation, path, std::strerror(error)));
}

class OpenFile {
 public:
  explicit OpenFile(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

void AddResidency(const std::string& path, Residency* residency) {
  const OpenFile file(path);
  struct stat info;
  if (file.fd() < 0 || ::fstat(file.fd(), &info) != 0 || info.st_size == 0) return;
  const auto size = static_cast<size_t>(info.st_size);
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  void* const data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.fd(), 0);
  if (data == MAP_FAILED) return;
  std::vector<unsigned char> pages((size + page - 1) / page);
  if (::mincore(data, size, pages.data()) == 0) {
    residency->bytes += pages.size() * page;
    for (const unsigned char state : pages) residency->resident_bytes += (state & 1) * page;
  }
  ::munmap(data, size);
}

}  // namespace

uint64_t AllocatedBytes(const std::string& path) {
  uint64_t bytes = 0;
  for (const std::string& file : FilesBelow(path)) {
    struct stat info;
    if (::stat(file.c_str(), &info) == 0) bytes += static_cast<uint64_t>(info.st_blocks) * 512;
  }
  return bytes;
}

Residency PageCacheOf(const std::string& path) {
  Residency residency;
  for (const std::string& file : FilesBelow(path)) AddResidency(file, &residency);
  return residency;
}

absl::Status DropPageCache(const std::string& path) {
  for (const std::string& name : FilesBelow(path)) {
    const OpenFile file(name);
    if (file.fd() < 0) return Error("open", name, errno);
    // Dirty pages would not be dropped.
    if (::fsync(file.fd()) != 0) return Error("sync", name, errno);
    const int error = ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
    if (error != 0) return Error("drop the pages of", name, error);
  }
  // Only root may do this; otherwise a few pages stay.
  std::ofstream("/proc/sys/vm/drop_caches") << "1\n";
  return absl::OkStatus();
}

absl::Status FillPageCache(const std::string& path) {
  std::string buffer(size_t{1} << 20, '\0');
  for (const std::string& name : FilesBelow(path)) {
    const OpenFile file(name);
    if (file.fd() < 0) return Error("open", name, errno);
    ssize_t bytes;
    while ((bytes = ::read(file.fd(), buffer.data(), buffer.size())) > 0) {
    }
    if (bytes < 0) return Error("read", name, errno);
  }
  return absl::OkStatus();
}

absl::Status BenchDirectory::Make(const std::string& path) {
  std::error_code error;
  const fs::path marker = fs::path(path) / kMarker;
  if (fs::exists(path, error)) {
    if (fs::exists(marker, error)) return absl::OkStatus();
    if (!fs::is_directory(path, error) || !fs::is_empty(path, error)) {
      return absl::FailedPreconditionError(absl::StrFormat(
          "%s exists and was not made by this tool: name another directory for the stores", path));
    }
  } else if (!fs::create_directory(path, error)) {
    // A mistyped path must be an error and not create a tree of directories.
    if (error == std::errc::no_such_file_or_directory) {
      return absl::NotFoundError(
          absl::StrCat(path, ": cannot be created, as its parent directory is missing"));
    }
    return absl::InternalError(absl::StrCat("cannot make ", path, ": ", error.message()));
  }
  std::ofstream file(marker);
  file << "rumcask_bench may remove everything in this directory.\n";
  file.close();
  return file ? absl::OkStatus() : absl::InternalError(absl::StrCat("cannot write to ", path));
}

std::string BenchDirectory::StorePath(const std::string& path, std::string_view store) {
  return (fs::path(path) / fs::path(store)).string();
}

absl::Status BenchDirectory::MakeEmpty(const std::string& store_path) {
  std::error_code error;
  if (!fs::exists(fs::path(store_path).parent_path() / kMarker, error)) {
    return absl::FailedPreconditionError(absl::StrCat(store_path, " is in a foreign directory"));
  }
  fs::remove_all(store_path, error);
  if (!error) fs::create_directory(store_path, error);
  if (!error) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("cannot make ", store_path, ": ", error.message()));
}

void BenchDirectory::Remove(const std::string& path) {
  std::error_code error;
  if (fs::exists(fs::path(path) / kMarker, error)) fs::remove_all(path, error);
}

}  // namespace rumcask::bench
