#include "core/system/sector_reader.h"

#include <algorithm>
#include <cstring>

#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

constexpr uint64_t kSectorBytes = 512;
// A device that has failed altogether must not cost a call per sector, each of which may take
// seconds. What lies behind an area that cannot be read is given up in pieces of this share of it,
// and after so many areas a call that fails is taken for unreadable as a whole.
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
  // The boundary between two sectors before the middle, or else the first there is.
  const uint64_t split = std::max((offset + size / 2) / kSectorBytes * kSectorBytes,
                                  (offset / kSectorBytes + 1) * kSectorBytes);
  if (split >= end || size <= GivenUpAt(offset) || unreadable_.size() >= kMostAreas) {
    // An error may pass.
    absl::StatusOr<size_t> again = file_->ReadUpTo(offset, buffer, size);
    if (again.ok() || !absl::IsInternal(again.status())) return again;
    // Behind the file's end there is nothing to be read.
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
  // An area that has failed is one range.
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
