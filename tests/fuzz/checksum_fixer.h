// Gives mutated files of a database valid checksums.
//
// A fuzzer does not guess checksums. With valid ones it reaches the code behind them, with lengths,
// numbers and links that no writer would have written. Offsets are those of FORMAT.md.

#ifndef RUMCASK_TESTS_FUZZ_CHECKSUM_FIXER_H_
#define RUMCASK_TESTS_FUZZ_CHECKSUM_FIXER_H_

#include <cstdint>
#include <string>

#include "core/format/format.h"

namespace rumcask {

// The end of a segment's records and its last checksum, for the header of the next segment.
struct SegmentLink {
  uint64_t id = 0;
  uint64_t end = 0;
  uint64_t checksum = 0;
};

// Fixes magic and checksum of both copies; bodies and lengths stay as they are.
void FixManifest(std::string* bytes);

// The uuid in the first copy; zeros if the file is too short.
Uuid ManifestUuid(const std::string& bytes);

// Fixes the header's magic, uuid, id and checksum; the checksums of the records, as far as their
// lengths lead from one to the next; and those of the footer, if there is one. With `predecessor`,
// also fixes the link in the header. Returns the link that the next segment should have.
SegmentLink FixSegment(const Uuid& uuid, uint64_t id, const SegmentLink* predecessor,
                       std::string* bytes);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_FUZZ_CHECKSUM_FIXER_H_
