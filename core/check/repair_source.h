// What a repair has before it: which segments make up the log, where each of them ends, and what of
// the rest may belong to it.

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

// Numbers from here on leave too few for further writes, and ids from here on too few for further
// segments. No honest database comes near.
inline constexpr uint64_t kEndOfRepairable = kEndOfNumbers - (uint64_t{1} << 42);

// Which records behind the known end of a segment are kept.
enum class Beyond {
  kNothing,     // what is there means nothing: it is the rest of what was sealed or cut
  kEverything,  // where it ends is not known, but the log goes on in a later segment
  kContinuing,  // those whose numbers go on where the log stands; nothing vouches for the others
  kPromised,    // those, and the ones that were known to be durable
  kRefused,     // none; they are counted
};

struct SourceSegment {
  uint64_t id = 0;
  Stream stream = Stream::kUser;
  std::optional<SegmentHeader> header;  // if it is valid
  // Of a segment that has been sealed: to be believed if the key table is whole.
  std::optional<Trailer> trailer;
  uint64_t file_bytes = 0;
  // What lies below is part of the log. kSegmentHeaderBytes for a file of which nobody knows
  // whether it belongs.
  uint64_t end = kSegmentHeaderBytes;
  // How far its records once reached, by what MANIFEST or the next segment says, even if it was not
  // promised that they would stay; 0 if nothing tells.
  uint64_t once_end = 0;
  // No record lies behind it: where the footer begins, or the file ends.
  uint64_t limit = 0;
  Beyond beyond = Beyond::kNothing;
};

struct RepairSource {
  // As found, or made from the segments.
  Manifest manifest;
  bool manifest_lost = false;
  std::vector<SourceSegment> segments;  // ascending ids
  // All records of the user stream with numbers up to this were durable.
  uint64_t promised = 0;
  // Of any file, and of any record that headers, footers and marks tell of.
  uint64_t highest_id = 0;
  uint64_t highest_number = 0;
};

// Only reads. Adds to `*report` what is wrong with MANIFEST, with the chain, and what is missing.
absl::StatusOr<RepairSource> ReadRepairSource(Directory* directory, RepairReport* report);

}  // namespace rumcask

#endif  // RUMCASK_CORE_CHECK_REPAIR_SOURCE_H_
