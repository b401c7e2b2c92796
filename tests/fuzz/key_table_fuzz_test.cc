// Key tables behind their checksum: the input is what a valid checksum covers. The first 16 bytes
// are the trailer's claims: where the records end, how many there are, and in the last four bytes
// whether the table is an early one.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/format/key_table.h"
#include "tests/fuzz/expect.h"

namespace rumcask {
namespace {

struct Entry {
  RecordHeader header;
  std::string key;
  uint64_t offset;
};

// Reads all entries. Returns whether the table was as the trailer says.
bool ReadAll(std::string_view table, const Trailer& trailer, std::vector<Entry>* entries) {
  KeyTableReader reader(table, trailer);
  while (reader.Next()) {
    entries->push_back({reader.header(), std::string(reader.key()), reader.offset()});
    const Entry& entry = entries->back();
    RUMCASK_FUZZ_EXPECT(entry.offset >= kSegmentHeaderBytes && entry.offset % 8 == 0);
    RUMCASK_FUZZ_EXPECT(entry.header.record_bytes() <= trailer.table_offset - entry.offset);
    RUMCASK_FUZZ_EXPECT(entry.header.key_bytes == entry.key.size());
    RUMCASK_FUZZ_EXPECT(static_cast<uint8_t>(entry.header.kind) != 0);
  }
  RUMCASK_FUZZ_EXPECT(!reader.Next());
  return reader.ok();
}

bool IsPlain(const RecordHeader& header) {
  return IsKnownKind(header.kind) || IsSkippableKind(header.kind);
}

}  // namespace
}  // namespace rumcask

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rumcask;
  if (size < 16) return 0;
  const char* const bytes = reinterpret_cast<const char*>(data);
  Trailer trailer;
  // A value that DecodeTrailer would accept.
  trailer.table_offset = (LoadU64(bytes) | kSegmentHeaderBytes) & ~uint64_t{7};
  trailer.records = LoadU32(bytes + 8);
  trailer.is_early = LoadU32(bytes + 12) != 0;
  std::vector<char> table(bytes + 16, bytes + size);
  std::vector<Entry> entries;
  const bool ok = ReadAll({table.data(), table.size()}, trailer, &entries);
  RUMCASK_FUZZ_EXPECT(!ok || entries.size() == trailer.records);
  if (!ok || trailer.is_early) return 0;

  // What can be read can be written again and reads the same.
  KeyTableBuilder builder;
  for (const Entry& entry : entries) {
    if (!IsPlain(entry.header)) return 0;
    builder.Add(entry.header, entry.key);
  }
  const std::string footer = builder.Finish(trailer.table_offset, 0, {});
  Trailer again;
  RUMCASK_FUZZ_EXPECT(DecodeTrailer(footer, 0, trailer.table_offset + footer.size(), &again));
  std::vector<Entry> reread;
  RUMCASK_FUZZ_EXPECT(ReadAll({footer.data(), again.table_bytes}, again, &reread));
  RUMCASK_FUZZ_EXPECT(reread.size() == entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    RUMCASK_FUZZ_EXPECT(reread[i].key == entries[i].key);
    RUMCASK_FUZZ_EXPECT(reread[i].offset == entries[i].offset);
    RUMCASK_FUZZ_EXPECT(DescribeSameRecord(reread[i].header, entries[i].header));
  }
  return 0;
}
