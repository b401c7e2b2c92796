// Reads a file of which some sectors may be unreadable.
//
// A device that cannot read a sector answers with EIO for the whole call, although everything
// around that sector is intact. Code that judges a file must therefore not stop at such an error:
// the sector is damage of its own range and of nothing else.

#ifndef RUMCASK_CORE_SYSTEM_SECTOR_READER_H_
#define RUMCASK_CORE_SYSTEM_SECTOR_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "core/system/file_system.h"

namespace rumcask {

// Opens for reading a file whose content is not trusted. Tried twice, because an error of the
// device may pass, and what is given up here may be lost permanently.
struct FileToRead {
  std::unique_ptr<File> file;
  uint64_t size = 0;
};
absl::StatusOr<FileToRead> OpenToRead(Directory* directory, std::string_view name);

// Not thread-safe, because it remembers the ranges that could not be read.
class SectorReader {
 public:
  // `file` must outlive the reader.
  explicit SectorReader(const File* file) : file_(file) {}

  const File& file() const { return *file_; }

  // Like File::ReadUpTo, except that sectors which the device cannot read yield zeros and are
  // remembered. Errors that say nothing about the device, such as lack of memory, are returned.
  absl::StatusOr<size_t> ReadUpTo(uint64_t offset, char* buffer, size_t size);

  // Whether a byte of [begin, end) was requested and could not be read.
  bool IsUnreadable(uint64_t begin, uint64_t end) const;

 private:
  struct Range {
    uint64_t begin;
    uint64_t end;
  };

  // How many bytes at `offset` are given up at once without looking for readable sectors. It is
  // more than a sector only directly behind a large area that cannot be read.
  uint64_t GivenUpAt(uint64_t offset) const;
  // Whether all of the range is known to be unreadable, so that the device need not be asked again.
  bool IsKnown(Range range) const;
  void Remember(Range range);
  absl::StatusOr<size_t> ReadAround(uint64_t offset, char* buffer, size_t size);

  const File* const file_;
  std::vector<Range> unreadable_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_SYSTEM_SECTOR_READER_H_
