#include "tests/fuzz/checksum_fixer.h"

#include <algorithm>
#include <cstring>

namespace rumcask {
namespace {

constexpr size_t kManifestPreamble = 24;

void FixManifestCopy(char* copy, size_t size) {
  if (size < kManifestPreamble) return;
  // The magic tells the layout, so that both are kept.
  if (std::memcmp(copy, "rumcaskM", 8) != 0) std::memcpy(copy, "rumcaskL", 8);
  const uint32_t format = LoadU32(copy + 8);
  const uint64_t length = std::min<uint64_t>(LoadU32(copy + 12), size - kManifestPreamble);
  StoreU64(copy + 16, XXH3_64bits_withSeed(copy + kManifestPreamble, length, format));
}

void FixHeader(const Uuid& uuid, uint64_t id, const SegmentLink* predecessor, char* bytes) {
  std::memcpy(bytes, "rumcask\n", 8);
  std::memcpy(bytes + 16, uuid.data(), uuid.size());
  StoreU64(bytes + 32, id);
  if (predecessor != nullptr) {
    StoreU64(bytes + 48, predecessor->id);
    StoreU64(bytes + 56, predecessor->end);
    StoreU64(bytes + 64, predecessor->checksum);
  }
  StoreU64(bytes + 120, XXH3_64bits_withSeed(bytes, 120, SegmentSeed(uuid, id)));
}

void FixFooter(uint64_t seed, std::string* bytes) {
  char* const trailer = bytes->data() + bytes->size() - kTrailerBytes;
  const uint64_t room = bytes->size() - kTrailerBytes;
  const uint64_t offset = LoadU64(trailer + 8);
  const uint64_t length = LoadU64(trailer + 16);
  if (offset <= room && length <= room - offset) {
    StoreU64(trailer + 24, TableChecksum({bytes->data() + offset, length}, seed));
  }
  StoreU64(trailer + 120, XXH3_64bits_withSeed(trailer, 120, seed));
}

}  // namespace

void FixManifest(std::string* bytes) {
  const size_t half = bytes->size() / 2;
  FixManifestCopy(bytes->data(), half);
  FixManifestCopy(bytes->data() + half, bytes->size() - half);
}

Uuid ManifestUuid(const std::string& bytes) {
  Uuid uuid = {};
  // The body begins with eight bytes of flags, that of the first releases with the uuid.
  const size_t at = kManifestPreamble + (bytes.compare(0, 8, "rumcaskM") == 0 ? 0 : 8);
  if (bytes.size() >= at + uuid.size()) {
    std::memcpy(uuid.data(), bytes.data() + at, uuid.size());
  }
  return uuid;
}

SegmentLink FixSegment(const Uuid& uuid, uint64_t id, const SegmentLink* predecessor,
                       std::string* bytes) {
  SegmentLink link;
  link.id = id;
  link.end = kSegmentHeaderBytes;
  if (bytes->size() < kSegmentHeaderBytes) return link;
  FixHeader(uuid, id, predecessor, bytes->data());
  const uint64_t seed = SegmentSeed(uuid, id);
  const bool has_footer = bytes->size() >= kSegmentHeaderBytes + kTrailerBytes &&
                          bytes->compare(bytes->size() - kTrailerBytes, 8, "rumcaskT") == 0;
  const uint64_t limit =
      has_footer ? std::min<uint64_t>(LoadU64(bytes->data() + bytes->size() - kTrailerBytes + 8),
                                      bytes->size() - kTrailerBytes)
                 : bytes->size();
  RecordHeader header;
  while (limit >= link.end + kRecordHeaderBytes &&
         DecodeRecordHeader(bytes->data() + link.end, limit - link.end, &header)) {
    char* const record = bytes->data() + link.end;
    EncodeRecordHeader(record, header, seed + link.end,
                       InnerChecksum(RecordKey(record, header), RecordValue(record, header)));
    link.checksum = LoadU64(record);
    link.end += header.record_bytes();
  }
  if (has_footer) FixFooter(seed, bytes);
  return link;
}

}  // namespace rumcask
