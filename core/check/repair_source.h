// The input of a repair: which segments make up the log, where each of them ends, and which other
// records may belong to it.

#ifndef RUMCASK_CORE_CHECK_REPAIR_SOURCE_H_
#define RUMCASK_CORE_CHECK_REPAIR_SOURCE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"

#include "core/check/repair.h"
#include "core/format/format.h"
#include "core/format/manifest.h"
#include "core/system/file_system.h"

namespace rumcask {

// Numbers from here on leave too few for further writes, and segment ids from here on leave too few
// for further segments. No real database comes near it.
inline constexpr uint64_t kEndOfRepairable = kEndOfNumbers - (uint64_t{1} << 42);

// Which records are kept that lie after the known end of a segment.
enum class Beyond {
  kNothing,     // none: they are remains of what was sealed or cut
  kEverything,  // all: the end is not known, but the log continues in a later segment
  kContinuing,  // those that continue the numbers of the log; no others are promised
  kPromised,    // the same, and all that were known to be durable
  kRefused,     // none, but they are counted as dropped
};

struct SourceSegment {
  uint64_t id = 0;
  Stream stream = Stream::kUser;
  std::optional<SegmentHeader> header;  // if it is valid
  // The trailer of a segment that has been sealed. It is trusted only if the key table is whole.
  std::optional<Trailer> trailer;
  uint64_t file_bytes = 0;
  // Everything below this offset is part of the log. kSegmentHeaderBytes if it is not known whether
  // the file belongs to the log.
  uint64_t end = kSegmentHeaderBytes;
  // How far the records once reached according to MANIFEST or the next segment, even if it was not
  // promised that they would stay. 0 if that is not known.
  uint64_t once_end = 0;
  // No record lies behind this offset: the footer begins here, or the file ends.
  uint64_t limit = 0;
  Beyond beyond = Beyond::kNothing;
};

struct RepairSource {
  // As read, or reconstructed from the segments.
  Manifest manifest;
  bool manifest_lost = false;
  std::vector<SourceSegment> segments;  // ascending ids
  // All records of the user stream with numbers up to this were durable.
  uint64_t promised = 0;
  // The highest id of any file, and the highest number of any record that headers, footers and sync
  // marks know of.
  uint64_t highest_id = 0;
  uint64_t highest_number = 0;
};

// Only reads. Adds to `*report` what is wrong with MANIFEST and with the chain, and what is
// missing.
absl::StatusOr<RepairSource> ReadRepairSource(Directory* directory, RepairReport* report);

}  // namespace rumcask

#endif  // RUMCASK_CORE_CHECK_REPAIR_SOURCE_H_
