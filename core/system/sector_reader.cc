#include "core/system/sector_reader.h"

#include <algorithm>
#include <cstring>

#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

constexpr uint64_t kSectorBytes = 512;
// A device that has failed altogether must not cost one call per sector, each of which may take
// seconds. So what follows an unreadable area is given up in pieces of 1/kShareGivenUp of the
// area's size; and once there are kMostAreas such areas, a call that fails counts as unreadable as
// a whole.
constexpr uint64_t kShareGivenUp = 64;
constexpr size_t kMostAreas = 1024;

absl::StatusOr<FileToRead> OpenOnce(Directory* directory, std::string_view name) {
  absl::StatusOr<std::unique_ptr<File>> file = directory->Open(name, OpenMode::kReadOnly);
  if (!file.ok()) return file.status();
  const absl::StatusOr<uint64_t> size = (*file)->Size();
  if (!size.ok()) return size.status();
  return FileToRead{*std::move(file), *size};
}

}  // namespace

absl::StatusOr<FileToRead> OpenToRead(Directory* directory, std::string_view name) {
  absl::StatusOr<FileToRead> opened = OpenOnce(directory, name);
  return absl::IsInternal(opened.status()) ? OpenOnce(directory, name) : std::move(opened);
}

absl::StatusOr<size_t> SectorReader::ReadUpTo(uint64_t offset, char* buffer, size_t size) {
  if (IsKnown({offset, offset + size})) {
    std::memset(buffer, 0, size);
    return size;
  }
  absl::StatusOr<size_t> got = file_->ReadUpTo(offset, buffer, size);
  if (got.ok() || !absl::IsInternal(got.status()) || SeededBug("bad-sector-ends-reading")) {
    return got;
  }
  return ReadAround(offset, buffer, size);
}

absl::StatusOr<size_t> SectorReader::ReadAround(uint64_t offset, char* buffer, size_t size) {
  const uint64_t end = offset + size;
  // The last sector boundary up to the middle, or the first boundary behind `offset` if that is
  // further.
  const uint64_t split = std::max((offset + size / 2) / kSectorBytes * kSectorBytes,
                                  (offset / kSectorBytes + 1) * kSectorBytes);
  if (split >= end || size <= GivenUpAt(offset) || unreadable_.size() >= kMostAreas) {
    // The error may have passed.
    absl::StatusOr<size_t> again = file_->ReadUpTo(offset, buffer, size);
    if (again.ok() || !absl::IsInternal(again.status())) return again;
    // Behind the end of the file there is nothing to read.
    const absl::StatusOr<uint64_t> file_end = file_->Size();
    if (file_end.ok()) size = std::min(size, *file_end - std::min(*file_end, offset));
    std::memset(buffer, 0, size);
    Remember({offset, offset + size});
    return size;
  }
  absl::StatusOr<size_t> first = ReadUpTo(offset, buffer, split - offset);
  if (!first.ok() || *first < split - offset) return first;
  absl::StatusOr<size_t> second = ReadUpTo(split, buffer + (split - offset), end - split);
  if (!second.ok()) return second;
  return *first + *second;
}

uint64_t SectorReader::GivenUpAt(uint64_t offset) const {
  if (unreadable_.empty() || unreadable_.back().end != offset) return 0;
  return (unreadable_.back().end - unreadable_.back().begin) / kShareGivenUp;
}

void SectorReader::Remember(Range range) {
  // Adjacent failed ranges are merged into one area.
  Range* const last = unreadable_.empty() ? nullptr : &unreadable_.back();
  if (last != nullptr && last->begin <= range.begin && range.begin <= last->end) {
    last->end = std::max(last->end, range.end);
  } else {
    unreadable_.push_back(range);
  }
}

bool SectorReader::IsKnown(Range range) const {
  return std::any_of(unreadable_.begin(), unreadable_.end(), [range](const Range& known) {
    return known.begin <= range.begin && range.end <= known.end;
  });
}

bool SectorReader::IsUnreadable(uint64_t begin, uint64_t end) const {
  return std::any_of(unreadable_.begin(), unreadable_.end(), [begin, end](const Range& range) {
    return range.begin < end && begin < range.end;
  });
}

}  // namespace rumcask
