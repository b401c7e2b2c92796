// Segment files: the header, the records one by one and after damage, sync marks, and the footer.
// The first byte chooses whether checksums are fixed first; the rest is the file.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/format/format.h"
#include "core/format/key_table.h"
#include "core/segment/segment_file.h"
#include "tests/fuzz/checksum_fixer.h"
#include "tests/fuzz/expect.h"
#include "tests/fuzz/memory_file.h"

namespace rumcask {
namespace {

constexpr uint64_t kId = 1;

void CheckRecord(const std::string& bytes, uint64_t seed, const FoundRecord& record) {
  RUMCASK_FUZZ_EXPECT(record.offset % 8 == 0 && record.offset >= kSegmentHeaderBytes);
  RUMCASK_FUZZ_EXPECT(record.end() <= bytes.size());
  const char* const begin = bytes.data() + record.offset;
  RUMCASK_FUZZ_EXPECT(VerifyRecord(begin, record.header, seed + record.offset));
  RUMCASK_FUZZ_EXPECT(record.key == RecordKey(begin, record.header));
}

void ReadRecords(const std::string& bytes, SegmentFile* file) {
  uint64_t highest_mark = 0;
  uint64_t covered = kSegmentHeaderBytes;
  uint64_t whole = 0;
  const absl::Status status = file->ForEachRecord(
      kSegmentHeaderBytes, bytes.size(),
      [&](const FoundRecord& record) {
        CheckRecord(bytes, file->seed(), record);
        RUMCASK_FUZZ_EXPECT(record.offset == covered);
        covered = record.end();
        const RecordHeader& header = record.header;
        if (!header.has_own_sequence() && header.key_bytes == 0 && header.value_bytes == 0) {
          highest_mark = std::max(highest_mark, header.sequence);
        }
        std::string copy;
        RecordHeader read;
        const absl::StatusOr<bool> sound =
            file->ReadRecord(record.offset, header.record_bytes(), &copy, &read);
        RUMCASK_FUZZ_EXPECT(sound.ok() && *sound && read.sequence == header.sequence);
        return absl::OkStatus();
      },
      [&](const FoundDamage& damage) {
        RUMCASK_FUZZ_EXPECT(damage.offset == covered && damage.length > 0);
        covered = damage.offset + damage.length;
        RUMCASK_FUZZ_EXPECT(damage.followed || covered == bytes.size());
        if (whole == 0) whole = damage.offset;
        return absl::OkStatus();
      });
  // A record of an unknown kind that must be understood ends the reading.
  RUMCASK_FUZZ_EXPECT(status.ok() || absl::IsFailedPrecondition(status));
  if (status.ok()) {
    RUMCASK_FUZZ_EXPECT(covered == bytes.size());
    const absl::StatusOr<uint64_t> stopped =
        file->ReadPrefix(kSegmentHeaderBytes, bytes.size(), [](const FoundRecord&) {});
    RUMCASK_FUZZ_EXPECT(stopped.ok() && *stopped == (whole == 0 ? bytes.size() : whole));
  }
  const absl::StatusOr<TailTraces> traces = file->ReadTraces(kSegmentHeaderBytes);
  RUMCASK_FUZZ_EXPECT(traces.ok());
  // Bytes inside values may look like marks, too.
  RUMCASK_FUZZ_EXPECT(traces->durable_sequence >= highest_mark);
  RUMCASK_FUZZ_EXPECT(traces->bytes <= bytes.size() - kSegmentHeaderBytes);
}

void ReadFooter(const std::string& bytes, SegmentFile* file) {
  const absl::StatusOr<std::optional<Trailer>> trailer = file->ReadTrailer();
  RUMCASK_FUZZ_EXPECT(trailer.ok());
  if (!trailer->has_value()) return;
  RUMCASK_FUZZ_EXPECT((*trailer)->table_offset >= kSegmentHeaderBytes);
  RUMCASK_FUZZ_EXPECT((*trailer)->table_offset + (*trailer)->table_bytes + kTrailerBytes <=
                      bytes.size());
  // The buffer has the exact size, so that a read beyond the table is noticed.
  std::vector<char> table((*trailer)->table_bytes);
  const absl::StatusOr<bool> whole = file->ReadKeyTable(**trailer, table.data());
  RUMCASK_FUZZ_EXPECT(whole.ok() || absl::IsFailedPrecondition(whole.status()));
  KeyTableReader reader({table.data(), table.size()}, **trailer);
  while (reader.Next()) {
    RUMCASK_FUZZ_EXPECT(reader.offset() + reader.header().record_bytes() <=
                        (*trailer)->table_offset);
  }
}

}  // namespace
}  // namespace rumcask

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rumcask;
  if (size == 0) return 0;
  const Uuid uuid = {1, 2, 3};
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 1) != 0) FixSegment(uuid, kId, nullptr, &bytes);
  SegmentFile file(std::make_unique<MemoryFile>(bytes), uuid, kId, bytes.size());
  SegmentHeader header;
  const absl::StatusOr<HeaderState> read = file.ReadHeader(&header);
  RUMCASK_FUZZ_EXPECT(read.ok());
  const HeaderState state = *read;
  if (state == HeaderState::kValid) {
    char again[kSegmentHeaderBytes];
    EncodeSegmentHeader(header, again);
    SegmentHeader reread;
    RUMCASK_FUZZ_EXPECT(DecodeSegmentHeader({again, sizeof(again)}, uuid, kId, &reread) ==
                        HeaderState::kValid);
    RUMCASK_FUZZ_EXPECT(reread.predecessor_end == header.predecessor_end &&
                        reread.durable_sequence == header.durable_sequence);
  }
  (void)SegmentHeaderUuid(bytes);
  if (bytes.size() >= kSegmentHeaderBytes) ReadRecords(bytes, &file);
  ReadFooter(bytes, &file);
  return 0;
}
