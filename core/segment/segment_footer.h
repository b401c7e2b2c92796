// Makes a full segment final: verifies its records and writes the footer behind them.

#ifndef RUMCASK_CORE_SEGMENT_SEGMENT_FOOTER_H_
#define RUMCASK_CORE_SEGMENT_SEGMENT_FOOTER_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/format/format.h"
#include "core/system/file_system.h"

namespace rumcask {

// Reads the records of segment `id` in `file` up to `end`, writes the footer behind them, cuts the
// file there and makes it durable. Every step repeats harmlessly: after a crash the scan ends at
// the same place. DataLoss if something below `end` no longer verifies. Without room for the footer
// it returns no trailer: the file is cut at `end` then, and durable. That is told apart from a full
// disk met by fdatasync, which is a failed sync like any other.
absl::StatusOr<std::optional<Trailer>> SealSegmentFile(File* file, const Uuid& uuid, uint64_t id,
                                                       uint64_t end);

// Writes the bytes [begin, end) of `file` as they are read. What is found after an unclean end may
// be in the page cache only, and if writing it back has failed, under this process or an earlier
// one, no fdatasync would write it: the kernel counts those pages as clean. To be called before
// SealSegmentFile, whose scan then verifies what this has read.
absl::Status RewriteSegmentFile(File* file, uint64_t begin, uint64_t end);

}  // namespace rumcask

#endif  // RUMCASK_CORE_SEGMENT_SEGMENT_FOOTER_H_
