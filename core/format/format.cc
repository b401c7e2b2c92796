#include "core/format/format.h"

#include <cstdio>

namespace rumcask {
namespace {

constexpr char kSegmentMagic[] = "rumcask\n";
constexpr char kTrailerMagic[] = "rumcaskT";
constexpr char kEarlyTrailerMagic[] = "rumcaskF";
constexpr size_t kMagicBytes = 8;

// Offsets of the segment header.
constexpr size_t kHeaderFormat = 8;
constexpr size_t kHeaderStream = 12;
constexpr size_t kHeaderAge = 13;
constexpr size_t kHeaderUuid = 16;
constexpr size_t kHeaderId = 32;
constexpr size_t kHeaderBase = 40;
constexpr size_t kHeaderPredecessorId = 48;
constexpr size_t kHeaderPredecessorEnd = 56;
constexpr size_t kHeaderPredecessorChecksum = 64;
constexpr size_t kHeaderDurable = 72;
constexpr size_t kHeaderMustUnderstand = 80;
constexpr size_t kHeaderMayIgnore = 84;
// 88 to 119 are reserved for encryption.
constexpr size_t kHeaderChecksum = 120;

// Offsets of the trailer.
constexpr size_t kTrailerTableOffset = 8;
constexpr size_t kTrailerTableBytes = 16;
constexpr size_t kTrailerTableChecksum = 24;
constexpr size_t kTrailerRecords = 32;
constexpr size_t kTrailerPuts = 36;
constexpr size_t kTrailerDeletes = 40;
// 44 is reserved for the count of records that expire, 80 and 88 for the bounds of their times.
constexpr size_t kTrailerDeleteBytes = 48;
constexpr size_t kTrailerFirst = 56;
constexpr size_t kTrailerLast = 64;
constexpr size_t kTrailerLastChecksum = 72;
constexpr size_t kTrailerFilterChecksum = 96;
constexpr size_t kTrailerFilterBytes = 104;
constexpr size_t kTrailerFilterKind = 108;
constexpr size_t kTrailerMustUnderstand = 112;
constexpr size_t kTrailerMayIgnore = 116;
constexpr size_t kTrailerChecksum = 120;

// Offsets of the trailer that the first releases wrote, where they differ.
constexpr size_t kEarlyTrailerPuts = 40;
constexpr size_t kEarlyTrailerDeletes = 48;
constexpr size_t kEarlyTrailerChecksum = 88;

}  // namespace

std::string SegmentName(uint64_t id) {
  char name[32];
  std::snprintf(name, sizeof(name), "%016llx.seg", static_cast<unsigned long long>(id));
  return name;
}

std::optional<uint64_t> ParseSegmentName(std::string_view name) {
  constexpr size_t kDigits = 16;
  if (name.size() != kDigits + 4 || name.substr(kDigits) != ".seg") return std::nullopt;
  uint64_t id = 0;
  for (char c : name.substr(0, kDigits)) {
    if (c >= '0' && c <= '9') {
      id = id * 16 + static_cast<uint64_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      id = id * 16 + static_cast<uint64_t>(c - 'a') + 10;
    } else {
      return std::nullopt;
    }
  }
  // Ids from kEndOfNumbers on are refused, as they would leave none for the next segments.
  if (id == 0 || id >= kEndOfNumbers) return std::nullopt;
  return id;
}

uint64_t SegmentSeed(const Uuid& uuid, uint64_t segment_id) {
  char bytes[24];
  std::memcpy(bytes, uuid.data(), uuid.size());
  StoreU64(bytes + 16, segment_id);
  return XXH3_64bits(bytes, sizeof(bytes));
}

void EncodeSegmentHeader(const SegmentHeader& header, char* to) {
  std::memset(to, 0, kSegmentHeaderBytes);
  std::memcpy(to, kSegmentMagic, kMagicBytes);
  StoreU32(to + kHeaderFormat, header.format);
  to[kHeaderStream] = static_cast<char>(header.stream);
  to[kHeaderAge] = static_cast<char>(header.age);
  std::memcpy(to + kHeaderUuid, header.uuid.data(), header.uuid.size());
  StoreU64(to + kHeaderId, header.id);
  StoreU64(to + kHeaderBase, header.base_sequence);
  StoreU64(to + kHeaderPredecessorId, header.predecessor_id);
  StoreU64(to + kHeaderPredecessorEnd, header.predecessor_end);
  StoreU64(to + kHeaderPredecessorChecksum, header.predecessor_checksum);
  StoreU64(to + kHeaderDurable, header.durable_sequence);
  StoreU32(to + kHeaderMustUnderstand, header.features.must_understand);
  StoreU32(to + kHeaderMayIgnore, header.features.may_ignore);
  StoreU64(to + kHeaderChecksum,
           XXH3_64bits_withSeed(to, kHeaderChecksum, SegmentSeed(header.uuid, header.id)));
}

HeaderState DecodeSegmentHeader(std::string_view from, const Uuid& uuid, uint64_t id,
                                SegmentHeader* header) {
  if (from.size() < kSegmentHeaderBytes) return HeaderState::kInvalid;
  const char* bytes = from.data();
  if (LoadU64(bytes + kHeaderChecksum) !=
      XXH3_64bits_withSeed(bytes, kHeaderChecksum, SegmentSeed(uuid, id))) {
    return HeaderState::kInvalid;
  }
  header->format = LoadU32(bytes + kHeaderFormat);
  header->stream = static_cast<Stream>(bytes[kHeaderStream]);
  header->age = static_cast<AgeClass>(bytes[kHeaderAge]);
  std::memcpy(header->uuid.data(), bytes + kHeaderUuid, header->uuid.size());
  header->id = LoadU64(bytes + kHeaderId);
  header->base_sequence = LoadU64(bytes + kHeaderBase);
  header->predecessor_id = LoadU64(bytes + kHeaderPredecessorId);
  header->predecessor_end = LoadU64(bytes + kHeaderPredecessorEnd);
  header->predecessor_checksum = LoadU64(bytes + kHeaderPredecessorChecksum);
  header->durable_sequence = LoadU64(bytes + kHeaderDurable);
  header->features.must_understand = LoadU32(bytes + kHeaderMustUnderstand);
  header->features.may_ignore = LoadU32(bytes + kHeaderMayIgnore);
  if (std::memcmp(bytes, kSegmentMagic, kMagicBytes) != 0 || header->uuid != uuid ||
      header->id != id) {
    return HeaderState::kInvalid;
  }
  if (!IsReadableFormat(header->format) || !AreKnownFeatures(header->features.must_understand) ||
      (header->stream != Stream::kUser && header->stream != Stream::kSurvivor)) {
    return HeaderState::kTooNew;
  }
  if (header->base_sequence >= kEndOfNumbers || header->durable_sequence >= kEndOfNumbers) {
    return HeaderState::kInvalid;
  }
  return HeaderState::kValid;
}

std::optional<Uuid> SegmentHeaderUuid(std::string_view from) {
  if (from.size() < kSegmentHeaderBytes ||
      std::memcmp(from.data(), kSegmentMagic, kMagicBytes) != 0) {
    return std::nullopt;
  }
  Uuid uuid;
  std::memcpy(uuid.data(), from.data() + kHeaderUuid, uuid.size());
  return uuid;
}

void EncodeTrailer(const Trailer& trailer, uint64_t segment_seed, char* to) {
  std::memset(to, 0, kTrailerBytes);
  std::memcpy(to, kTrailerMagic, kMagicBytes);
  StoreU64(to + kTrailerTableOffset, trailer.table_offset);
  StoreU64(to + kTrailerTableBytes, trailer.table_bytes);
  StoreU64(to + kTrailerTableChecksum, trailer.table_checksum);
  StoreU32(to + kTrailerRecords, trailer.records);
  StoreU32(to + kTrailerPuts, trailer.puts);
  StoreU32(to + kTrailerDeletes, trailer.deletes);
  StoreU64(to + kTrailerDeleteBytes, trailer.delete_bytes);
  StoreU64(to + kTrailerFirst, trailer.first_sequence);
  StoreU64(to + kTrailerLast, trailer.last_sequence);
  StoreU64(to + kTrailerLastChecksum, trailer.last_checksum);
  StoreU64(to + kTrailerFilterChecksum, trailer.filter_checksum);
  StoreU32(to + kTrailerFilterBytes, trailer.filter_bytes);
  to[kTrailerFilterKind] = static_cast<char>(trailer.filter_kind);
  StoreU32(to + kTrailerMustUnderstand, trailer.features.must_understand);
  StoreU32(to + kTrailerMayIgnore, trailer.features.may_ignore);
  StoreU64(to + kTrailerChecksum, XXH3_64bits_withSeed(to, kTrailerChecksum, segment_seed));
}

bool DecodeTrailer(std::string_view tail, uint64_t segment_seed, uint64_t file_bytes,
                   Trailer* trailer) {
  // Bytes with that magic and a checksum behind `checked` bytes of which they are the first.
  const auto find = [&](const char* magic, size_t size, size_t checked) -> const char* {
    if (tail.size() < size || file_bytes < kSegmentHeaderBytes + size) return nullptr;
    const char* const from = tail.data() + tail.size() - size;
    if (std::memcmp(from, magic, kMagicBytes) != 0) return nullptr;
    const uint64_t checksum = XXH3_64bits_withSeed(from, checked, segment_seed);
    return LoadU64(from + checked) == checksum ? from : nullptr;
  };
  *trailer = Trailer();
  uint64_t room = file_bytes;
  if (const char* from = find(kTrailerMagic, kTrailerBytes, kTrailerChecksum)) {
    room -= kTrailerBytes;
    trailer->records = LoadU32(from + kTrailerRecords);
    trailer->puts = LoadU32(from + kTrailerPuts);
    trailer->deletes = LoadU32(from + kTrailerDeletes);
    trailer->delete_bytes = LoadU64(from + kTrailerDeleteBytes);
    trailer->filter_checksum = LoadU64(from + kTrailerFilterChecksum);
    trailer->filter_bytes = LoadU32(from + kTrailerFilterBytes);
    trailer->filter_kind = static_cast<FilterKind>(from[kTrailerFilterKind]);
    trailer->features.must_understand = LoadU32(from + kTrailerMustUnderstand);
    trailer->features.may_ignore = LoadU32(from + kTrailerMayIgnore);
    tail = std::string_view(from, kTrailerBytes);
  } else if (const char* early =
                 find(kEarlyTrailerMagic, kEarlyTrailerBytes, kEarlyTrailerChecksum)) {
    room -= kEarlyTrailerBytes;
    trailer->is_early = true;
    // Eight bytes then, though no segment has so many records.
    trailer->records = LoadU32(early + kTrailerRecords);
    trailer->puts = LoadU32(early + kEarlyTrailerPuts);
    trailer->deletes = LoadU32(early + kEarlyTrailerDeletes);
    tail = std::string_view(early, kEarlyTrailerBytes);
  } else {
    return false;
  }
  trailer->table_offset = LoadU64(tail.data() + kTrailerTableOffset);
  trailer->table_bytes = LoadU64(tail.data() + kTrailerTableBytes);
  trailer->table_checksum = LoadU64(tail.data() + kTrailerTableChecksum);
  trailer->first_sequence = LoadU64(tail.data() + kTrailerFirst);
  trailer->last_sequence = LoadU64(tail.data() + kTrailerLast);
  trailer->last_checksum = LoadU64(tail.data() + kTrailerLastChecksum);
  // A newer version may lay out all the rest in another way, so its trailer is to be refused.
  if (!trailer->is_known()) return true;
  // A trailer with a valid checksum may still be malformed if the file is hostile, so the sums
  // below are written so that they cannot wrap.
  return trailer->last_sequence < kEndOfNumbers && trailer->table_offset >= kSegmentHeaderBytes &&
         trailer->table_offset % 8 == 0 && trailer->table_offset <= room &&
         trailer->table_bytes <= room - trailer->table_offset &&
         // An entry is smaller than the record it describes.
         trailer->table_bytes <= trailer->table_offset - kSegmentHeaderBytes &&
         trailer->filter_offset() + PaddedTo8(trailer->filter_bytes) == room;
}

uint64_t TableChecksum(std::string_view table, uint64_t segment_seed) {
  return XXH3_64bits_withSeed(table.data(), table.size(), segment_seed);
}

}  // namespace rumcask
