#include "core/sector_reader.h"

#include <algorithm>
#include <cstring>

#include "core/seeded_bug.h"

namespace rumcask {
namespace {

constexpr uint64_t kSectorBytes = 512;
// A device that has failed altogether must not cost a call per sector, each of which may take
// seconds: after so many ranges a call that fails is taken for unreadable as a whole.
constexpr size_t kMostRanges = 1024;

}  // namespace

absl::StatusOr<size_t> SectorReader::ReadUpTo(uint64_t offset, char* buffer, size_t size) {
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
  if (split >= end || unreadable_.size() >= kMostRanges) {
    // An error may pass; what is given up here may be lost for good.
    absl::StatusOr<size_t> again = file_->ReadUpTo(offset, buffer, size);
    if (again.ok() || !absl::IsInternal(again.status())) return again;
    std::memset(buffer, 0, size);
    // A reader that comes by twice remembers one range.
    if (!IsUnreadable(offset, end)) unreadable_.push_back({offset, end});
    return size;
  }
  absl::StatusOr<size_t> first = ReadUpTo(offset, buffer, split - offset);
  if (!first.ok() || *first < split - offset) return first;
  absl::StatusOr<size_t> second = ReadUpTo(split, buffer + (split - offset), end - split);
  if (!second.ok()) return second;
  return *first + *second;
}

bool SectorReader::IsUnreadable(uint64_t begin, uint64_t end) const {
  return std::any_of(unreadable_.begin(), unreadable_.end(), [begin, end](const Range& range) {
    return range.begin < end && begin < range.end;
  });
}

}  // namespace rumcask
