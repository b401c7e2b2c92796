// Writes one segment of a repaired database.

#ifndef RUMCASK_CORE_CHECK_SEGMENT_COPY_H_
#define RUMCASK_CORE_CHECK_SEGMENT_COPY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

#include "core/format/format.h"
#include "core/system/file_system.h"

namespace rumcask {

// What the header of a segment says about the segment before it.
struct ChainEnd {
  uint64_t id = 0;
  uint64_t end = 0;
  uint64_t checksum = 0;
};

// The file is created with the first record.
class SegmentCopy {
 public:
  // The segment follows `predecessor` in its stream.
  SegmentCopy(Directory* into, const Uuid& uuid, uint64_t id, Stream stream,
              const ChainEnd& predecessor);

  // Appends the record. It no longer belongs to a batch, because other parts of its batch may be
  // gone.
  absl::Status Add(RecordHeader header, std::string_view key, std::string_view value);

  bool empty() const { return file_ == nullptr; }
  ChainEnd chain_end() const { return {header_.id, end_, last_checksum_}; }

  // Writes the footer and makes the segment durable.
  absl::Status Finish();

 private:
  absl::Status Begin(const RecordHeader& first);
  absl::Status Flush();

  Directory* const into_;
  const uint64_t seed_;
  SegmentHeader header_;
  std::unique_ptr<File> file_;
  std::string buffer_;
  uint64_t written_ = 0;
  uint64_t end_ = kSegmentHeaderBytes;
  uint64_t last_checksum_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_CHECK_SEGMENT_COPY_H_
