// Segment files: header, records one by one and after damage, sync marks, footer. The first byte
// chooses whether checksums are mended first; the rest is the file.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/format.h"
#include "core/key_table.h"
#include "core/segment_scanner.h"
#include "tests/fuzz/checksum_fixer.h"
#include "tests/fuzz/expect.h"
#include "tests/fuzz/memory_file.h"

namespace rumcask {
namespace {

constexpr uint64_t kId = 1;

void CheckRecord(const std::string& bytes, uint64_t seed, const SegmentScanner& scanner) {
  const uint64_t offset = scanner.offset();
  const RecordHeader& header = scanner.header();
  RUMCASK_FUZZ_EXPECT(offset % 8 == 0 && offset >= kSegmentHeaderBytes);
  RUMCASK_FUZZ_EXPECT(scanner.next_offset() == offset + header.record_bytes());
  RUMCASK_FUZZ_EXPECT(scanner.next_offset() <= bytes.size());
  const char* const record = bytes.data() + offset;
  RUMCASK_FUZZ_EXPECT(VerifyRecord(record, header, seed + offset));
  RUMCASK_FUZZ_EXPECT(scanner.key() == RecordKey(record, header));
}

void ScanRecords(const std::string& bytes, uint64_t seed) {
  const MemoryFile file(bytes);
  SegmentScanner scanner(&file, seed, kSegmentHeaderBytes, bytes.size());
  uint64_t highest_mark = 0;
  uint64_t last = 0;
  SegmentScanner::Step step = scanner.Next();
  while (step != SegmentScanner::Step::kEnd) {
    RUMCASK_FUZZ_EXPECT(step != SegmentScanner::Step::kError);
    if (step == SegmentScanner::Step::kInvalid) {
      step = scanner.Resync();
      RUMCASK_FUZZ_EXPECT(step != SegmentScanner::Step::kInvalid);
      continue;
    }
    CheckRecord(bytes, seed, scanner);
    RUMCASK_FUZZ_EXPECT(scanner.offset() > last);
    last = scanner.offset();
    const RecordHeader& header = scanner.header();
    if (!header.has_number() && header.key_bytes == 0 && header.value_bytes == 0) {
      highest_mark = std::max(highest_mark, header.sequence);
    }
    step = scanner.Next();
  }
  const absl::StatusOr<TailTraces> traces =
      ReadTailTraces(file, seed, kSegmentHeaderBytes, bytes.size());
  RUMCASK_FUZZ_EXPECT(traces.ok());
  // Marks may also lie inside of values.
  RUMCASK_FUZZ_EXPECT(traces->durable_sequence >= highest_mark);
  RUMCASK_FUZZ_EXPECT(traces->bytes <= bytes.size() - kSegmentHeaderBytes);
}

void ReadFooter(const std::string& bytes, uint64_t seed) {
  Trailer trailer;
  if (bytes.size() < kTrailerBytes ||
      !DecodeTrailer(bytes.data() + bytes.size() - kTrailerBytes, seed, bytes.size(), &trailer)) {
    return;
  }
  RUMCASK_FUZZ_EXPECT(trailer.table_offset >= kSegmentHeaderBytes);
  RUMCASK_FUZZ_EXPECT(trailer.table_offset + trailer.table_bytes + kTrailerBytes <= bytes.size());
  // A copy of the exact size, so that a read beyond the table is seen.
  const std::vector<char> table(
      bytes.begin() + static_cast<ptrdiff_t>(trailer.table_offset),
      bytes.begin() + static_cast<ptrdiff_t>(trailer.table_offset + trailer.table_bytes));
  KeyTableReader reader({table.data(), table.size()}, trailer);
  while (reader.Next()) {
    RUMCASK_FUZZ_EXPECT(reader.offset() + reader.header().record_bytes() <= trailer.table_offset);
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
  SegmentHeader header;
  const HeaderState state =
      DecodeSegmentHeader(std::string_view(bytes).substr(0, kUnbornBytes), uuid, kId, &header);
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
  if (bytes.size() >= kSegmentHeaderBytes) ScanRecords(bytes, SegmentSeed(uuid, kId));
  ReadFooter(bytes, SegmentSeed(uuid, kId));
  return 0;
}
