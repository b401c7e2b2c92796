// Reads the records of a segment one after the other, believing nothing. Only SegmentFile uses it.
//
// A length is checked against the limits and against what is left before anything is read or
// allocated by it, and a large value is checksummed piece by piece, so that a hostile file costs no
// more memory than a good one.

#ifndef RUMCASK_CORE_SEGMENT_SEGMENT_SCANNER_H_
#define RUMCASK_CORE_SEGMENT_SEGMENT_SCANNER_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "core/format/format.h"
#include "core/system/sector_reader.h"

namespace rumcask {

class SegmentScanner {
 public:
  enum class Step {
    kRecord,   // a whole record, in its place
    kEnd,      // exactly at the end given
    kInvalid,  // the bytes at offset() are no record
    kError,    // reading failed for a reason that lies outside the file; see status()
  };

  // Scans [begin, end) of the file, whose reader must outlive the scanner. Bytes that the file does
  // not have are no record. Nothing is scanned if `end` is below `begin`: a file may have been cut
  // within its header.
  SegmentScanner(SectorReader* reader, uint64_t segment_seed, uint64_t begin, uint64_t end);

  // Judges the bytes after the last record. After kInvalid it stays where it is.
  Step Next();

  // After kInvalid: moves on to the next offset, a multiple of 8, where a record verifies, and
  // returns what Next would; kEnd if there is none. Gives up (kEnd, with gave_up()) on a file made
  // to be expensive: when it has checksummed many times the file's size in vain.
  Step Resync();
  bool gave_up() const { return gave_up_; }

  // Of the current record, or of the place where it stopped.
  uint64_t offset() const { return offset_; }
  const RecordHeader& header() const { return header_; }
  // Valid until the next step.
  std::string_view key() const { return key_; }
  // Whether the bytes that fill the record up to a multiple of 8, which no checksum covers, are the
  // zeros they were written as.
  bool padding_is_zero() const { return padding_is_zero_; }
  // Where the next record begins: the end of what has been accepted so far.
  uint64_t next_offset() const { return next_; }
  const absl::Status& status() const { return status_; }

 private:
  // Makes [offset, offset + size) available contiguously; null if the file does not have it, or
  // after an error, which is then in status_.
  const char* Window(uint64_t offset, size_t size);
  // Whether a record of a version that is known is at offset_ or, unless one is being searched for,
  // one of any version.
  bool Verify(bool searches);
  bool VerifyInPieces();
  void CheckPadding(const char* record_end, uint64_t padding);

  SectorReader* const reader_;
  const uint64_t seed_;
  const uint64_t end_;
  uint64_t offset_;
  uint64_t next_;
  RecordHeader header_;
  std::string_view key_;
  bool padding_is_zero_ = true;
  absl::Status status_;
  uint64_t checksummed_ = 0;
  bool gave_up_ = false;

  std::vector<char> buffer_;
  uint64_t buffer_offset_ = 0;
  size_t buffer_size_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_SEGMENT_SEGMENT_SCANNER_H_
