// The bytes of a segment. FORMAT.md is the specification; this pair of files is the only code that
// knows an offset.

#ifndef RUMCASK_CORE_FORMAT_FORMAT_H_
#define RUMCASK_CORE_FORMAT_FORMAT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "core/format/limits.h"
#include "core/format/record_kind.h"
#include "core/system/seeded_bug.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace rumcask {

// Frozen in the file format, once the format's number is 1. A version reads all formats from the
// oldest to the one that it writes.
inline constexpr uint32_t kFormatVersion = 0;
inline constexpr uint32_t kOldestFormat = 0;
inline constexpr bool IsReadableFormat(uint32_t format) {
  return format >= kOldestFormat && format <= kFormatVersion;
}

// Extensions that a segment or MANIFEST makes use of, a bit each. A reader refuses a file with a
// bit in `must_understand` that it does not know, and may ignore those in `may_ignore`.
struct FeatureFlags {
  uint32_t must_understand = 0;
  uint32_t may_ignore = 0;

  friend bool operator==(const FeatureFlags& a, const FeatureFlags& b) {
    return a.must_understand == b.must_understand && a.may_ignore == b.may_ignore;
  }
};
// None yet. Bit 0 is reserved for encrypted segments.
inline constexpr uint32_t kKnownFeatures = 0;
inline constexpr bool AreKnownFeatures(uint32_t must_understand) {
  return (must_understand & ~kKnownFeatures) == 0;
}

using Uuid = std::array<unsigned char, 16>;

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is little-endian");

inline uint64_t LoadU64(const char* from) {
  uint64_t value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}
inline uint32_t LoadU32(const char* from) {
  uint32_t value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}
inline uint16_t LoadU16(const char* from) {
  uint16_t value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}
inline void StoreU64(char* to, uint64_t value) { std::memcpy(to, &value, sizeof(value)); }
inline void StoreU32(char* to, uint32_t value) { std::memcpy(to, &value, sizeof(value)); }
inline void StoreU16(char* to, uint16_t value) { std::memcpy(to, &value, sizeof(value)); }

// Sequence numbers and segment ids stay below this, so that arithmetic on them never wraps. No real
// database comes near it.
inline constexpr uint64_t kEndOfNumbers = uint64_t{1} << 63;

// ---- names ----

inline constexpr std::string_view kLockName = "LOCK";
inline constexpr std::string_view kManifestName = "MANIFEST";
inline constexpr std::string_view kManifestNextName = "MANIFEST.next";
inline constexpr std::string_view kIndexDirectory = "index";

// "0000000000000001.seg": sixteen lower-case hexadecimal digits. Ids begin at 1.
std::string SegmentName(uint64_t id);
// Strict: nullopt for everything that SegmentName would not produce.
std::optional<uint64_t> ParseSegmentName(std::string_view name);

// ---- records ----

// Frozen in the file format: the position of a record in its batch.
enum class BatchPart : uint8_t { kNone = 0, kFirst = 1, kMiddle = 2, kLast = 3 };
inline constexpr int kBatchPartBits = 2;

//   0          8          16          20         22     23      24
//  +----------+----------+-----------+----------+------+-------+-------+---------+---------------+
//  | checksum | sequence | value len | key len  | kind | part, | key   | value   | zeros to 8    |
//  |          |          |           |          |      | flags |       |         |               |
//  +----------+----------+-----------+----------+------+-------+-------+---------+---------------+
inline constexpr size_t kRecordHeaderBytes = 24;
inline constexpr size_t kRecordKindOffset = 22;

struct RecordHeader {
  uint64_t checksum = 0;
  uint64_t sequence = 0;
  uint32_t value_bytes = 0;
  uint16_t key_bytes = 0;
  RecordKind kind = RecordKind::kPut;
  BatchPart part = BatchPart::kNone;
  // Reserved; six bits, none of which this version knows.
  uint8_t flags = 0;

  uint64_t record_bytes() const;
  bool is_data() const { return IsDataKind(kind); }
  bool is_tombstone() const { return IsTombstoneKind(kind); }
  bool is_readable() const { return IsReadableKind(kind); }
  // The key had a value, which is lost.
  bool is_lost() const { return is_data() && !is_tombstone() && !is_readable(); }
  // Without later records, somebody would ask the record for the key's value.
  bool holds_key() const { return is_data() && !is_tombstone(); }
  bool has_own_sequence() const { return HasOwnSequence(kind); }
};

// Whether two headers agree in all that a key table says of a record.
inline bool DescribeSameRecord(const RecordHeader& a, const RecordHeader& b) {
  return a.kind == b.kind && a.part == b.part && a.flags == b.flags && a.sequence == b.sequence &&
         a.key_bytes == b.key_bytes && a.value_bytes == b.value_bytes;
}

inline constexpr uint64_t PaddedTo8(uint64_t bytes) { return (bytes + 7) & ~uint64_t{7}; }
inline constexpr uint64_t RecordBytes(uint64_t key_bytes, uint64_t value_bytes) {
  return PaddedTo8(kRecordHeaderBytes + key_bytes + value_bytes);
}
inline uint64_t RecordHeader::record_bytes() const { return RecordBytes(key_bytes, value_bytes); }

// The start value of every checksum in a segment. The checksum of a record at `offset` uses seed +
// offset, so that a record found at another place, in another segment or in another database never
// verifies.
uint64_t SegmentSeed(const Uuid& uuid, uint64_t segment_id);

// The part of a record's checksum that depends neither on its number nor on its place. It takes
// long for large values, so it is computed before the write lock is taken.
inline uint64_t InnerChecksum(std::string_view key, std::string_view value) {
  return XXH3_64bits_withSeed(value.data(), value.size(), XXH3_64bits(key.data(), key.size()));
}

// Writes header, key and zero padding of a record to `to`, which has room for RecordBytes(...). The
// caller copies the value to `to` + kRecordHeaderBytes + key size. `header.checksum` is ignored;
// the checksum is computed here.
inline void EncodeRecordHeader(char* to, const RecordHeader& header, uint64_t seed_at_offset,
                               uint64_t inner) {
  char hashed[24];
  StoreU64(hashed, header.sequence);
  StoreU32(hashed + 8, header.value_bytes);
  StoreU16(hashed + 12, header.key_bytes);
  hashed[14] = static_cast<char>(header.kind);
  hashed[15] =
      static_cast<char>(static_cast<uint8_t>(header.part) | header.flags << kBatchPartBits);
  StoreU64(hashed + 16, inner);
  StoreU64(to, XXH3_64bits_withSeed(hashed, sizeof(hashed), seed_at_offset));
  std::memcpy(to + 8, hashed, 16);
}

// Reads the fields of a header. False if no record of any version can have them, whatever follows:
// the kind is 0, or the record with header and padding exceeds `available` bytes. `from` holds at
// least kRecordHeaderBytes.
inline bool DecodeRecordHeader(const char* from, uint64_t available, RecordHeader* header) {
  header->checksum = LoadU64(from);
  header->sequence = LoadU64(from + 8);
  header->value_bytes = LoadU32(from + 16);
  header->key_bytes = LoadU16(from + 20);
  const uint8_t kind = static_cast<uint8_t>(from[kRecordKindOffset]);
  const uint8_t part = static_cast<uint8_t>(from[23]);
  header->kind = static_cast<RecordKind>(kind);
  header->part = static_cast<BatchPart>(part & 3);
  header->flags = static_cast<uint8_t>(part >> kBatchPartBits);
  return kind != 0 && (header->record_bytes() <= available || SeededBug("length-not-checked"));
}

// Whether a header is within what this version writes. Bytes that verify as a record and are not
// were written by a newer version. They must be refused: whoever took them for the end of the log
// would cut off acknowledged writes.
inline bool IsOfThisVersion(const RecordHeader& header) {
  return static_cast<uint8_t>(header.kind) < kEndOfKinds && header.flags == 0 &&
         header.sequence < kEndOfNumbers &&
         header.value_bytes <= kMaxValueBytes + kMaxValuePrefixBytes;
}

// Whether the record that begins at `record` and has the given header is complete and in its place.
inline bool VerifyRecord(const char* record, const RecordHeader& header, uint64_t seed_at_offset) {
  char hashed[24];
  std::memcpy(hashed, record + 8, 16);
  StoreU64(hashed + 16,
           InnerChecksum({record + kRecordHeaderBytes, header.key_bytes},
                         {record + kRecordHeaderBytes + header.key_bytes, header.value_bytes}));
  return XXH3_64bits_withSeed(hashed, sizeof(hashed), seed_at_offset) == header.checksum ||
         SeededBug("checksum-not-checked");
}

// Whether the header of a sync mark may stand at `from`, for code that searches damaged space for
// marks.
inline bool MayBeSyncMark(const char* from) {
  return static_cast<RecordKind>(from[kRecordKindOffset]) == RecordKind::kSyncMark;
}

inline std::string_view RecordKey(const char* record, const RecordHeader& header) {
  return {record + kRecordHeaderBytes, header.key_bytes};
}
inline std::string_view RecordValue(const char* record, const RecordHeader& header) {
  return {record + kRecordHeaderBytes + header.key_bytes, header.value_bytes};
}

// ---- segment header ----

inline constexpr size_t kSegmentHeaderBytes = 128;

// Frozen in the file format. Others must be refused.
enum class Stream : uint8_t { kUser = 1, kSurvivor = 2 };

// How old the records of a survivor are: a hint for those who choose what to compact.
enum class AgeClass : uint8_t { kUnknown = 0, kYoung = 1, kOld = 2 };

struct SegmentHeader {
  uint32_t format = kFormatVersion;
  Stream stream = Stream::kUser;
  AgeClass age = AgeClass::kUnknown;
  FeatureFlags features;
  Uuid uuid = {};
  uint64_t id = 0;
  // The lowest number that a record in the segment can have.
  uint64_t base_sequence = 0;
  // The segment before this one in the stream: its id (0: none), where its records end, and the
  // checksum of its last record (0 if it has none).
  uint64_t predecessor_id = 0;
  uint64_t predecessor_end = 0;
  uint64_t predecessor_checksum = 0;
  // A sync mark that was written with the header: all user records with numbers <= this were
  // durable.
  uint64_t durable_sequence = 0;

  // The highest number that a record in the segments before this one can have.
  uint64_t numbers_below() const { return base_sequence == 0 ? 0 : base_sequence - 1; }
};

void EncodeSegmentHeader(const SegmentHeader& header, char* to);

enum class HeaderState {
  kValid,
  kUnborn,   // all of the file is zero; known only after reading all of it
  kInvalid,  // torn, damaged, or of another segment or database
  kTooNew,   // valid, but with a format, a stream or features that this version does not know
};
// `from` holds the file's beginning, at least min(file size, kSegmentHeaderBytes). Never returns
// kUnborn.
HeaderState DecodeSegmentHeader(std::string_view from, const Uuid& uuid, uint64_t id,
                                SegmentHeader* header);

// If the bytes look like a segment header, the database that they name; DecodeSegmentHeader must
// confirm it. For use when MANIFEST is lost.
std::optional<Uuid> SegmentHeaderUuid(std::string_view from);

// ---- footer ----

// Lies at the very end of a sealed segment. Between the last record and the trailer lie the key
// table and the filter of keys, each filled up with zeros to a multiple of 8.
inline constexpr size_t kTrailerBytes = 128;

// Frozen in the file format. A filter of another kind is treated as one that holds every key.
enum class FilterKind : uint8_t { kNone = 0, kFuse16 = 1 };

struct Trailer {
  FeatureFlags features;
  uint64_t table_offset = 0;  // where the records end
  uint64_t table_bytes = 0;
  uint64_t table_checksum = 0;
  uint32_t records = 0;
  uint32_t puts = 0;
  uint32_t deletes = 0;
  uint64_t delete_bytes = 0;    // of the records that are deletes
  uint64_t first_sequence = 0;  // lowest and highest number of its records, 0 if none has one
  uint64_t last_sequence = 0;
  uint64_t last_checksum = 0;  // of the last record, 0 if there is none
  FilterKind filter_kind = FilterKind::kNone;
  uint32_t filter_bytes = 0;
  uint64_t filter_checksum = 0;
  // Has the layout of the first releases, with the key table that belongs to it.
  bool is_early = false;

  uint64_t filter_offset() const { return table_offset + PaddedTo8(table_bytes); }
  // Where it begins itself.
  uint64_t offset() const { return filter_offset() + PaddedTo8(filter_bytes); }
  // Of the whole segment.
  uint64_t file_bytes() const;
  bool is_known() const { return AreKnownFeatures(features.must_understand); }
};

// The trailer of the first releases.
inline constexpr size_t kEarlyTrailerBytes = 96;
inline uint64_t Trailer::file_bytes() const {
  return offset() + (is_early ? kEarlyTrailerBytes : kTrailerBytes);
}

void EncodeTrailer(const Trailer& trailer, uint64_t segment_seed, char* to);
// False if there is no trailer of this segment at the end of `tail`, which holds the last bytes of
// the file, kTrailerBytes of them or all; or if what it says contradicts `file_bytes`.
bool DecodeTrailer(std::string_view tail, uint64_t segment_seed, uint64_t file_bytes,
                   Trailer* trailer);
// Of a key table or a filter.
uint64_t TableChecksum(std::string_view table, uint64_t segment_seed);

}  // namespace rumcask

#endif  // RUMCASK_CORE_FORMAT_FORMAT_H_
