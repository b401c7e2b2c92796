// What the kinds of records mean, in one table.
//
// A new kind is a new row. No code outside of core/format compares kinds: it asks for what it needs
// to know, so that it is right about a kind that did not exist when it was written.

#ifndef RUMCASK_CORE_FORMAT_RECORD_KIND_H_
#define RUMCASK_CORE_FORMAT_RECORD_KIND_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace rumcask {

// Frozen in the file format. Zero is never valid, so that zeroed space does not parse as a record.
// Among kinds that this version does not know, it must refuse 1 to 31 and may skip 32 to 63. Kinds
// from 64 on do not fit into a key table; a record that has one and verifies is of a newer version.
enum class RecordKind : uint8_t {
  kPut = 1,
  kDelete = 2,
  kLost = 3,         // a repair found the key's newest value damaged and gave it up
  kSyncMark = 4,     // all user records with numbers <= `sequence` are durable
  kFence = 5,        // only takes a number: everything before it is decided
  kExtendedPut = 6,  // reserved: the value begins with flags and the fields that they announce
};
inline constexpr uint8_t kFirstSkippableKind = 32;
inline constexpr uint8_t kEndOfKinds = 64;

struct RecordKindTraits {
  // This version knows what to do with such a record.
  bool known = false;
  // `sequence` is the record's own number, and not another one's.
  bool own_sequence = true;
  // It is the newest that there is of its key, until a later record of that key.
  bool data = false;
  // Its key has no value from then on.
  bool tombstone = false;
  // Its value may be given to a reader.
  bool readable = false;
};

namespace record_kind_internal {

constexpr std::array<RecordKindTraits, kEndOfKinds> MakeTable() {
  std::array<RecordKindTraits, kEndOfKinds> table = {};
  //                                                   known  own    data   tomb   readable
  table[static_cast<size_t>(RecordKind::kPut)] = {true, true, true, false, true};
  table[static_cast<size_t>(RecordKind::kDelete)] = {true, true, true, true, false};
  table[static_cast<size_t>(RecordKind::kLost)] = {true, true, true, false, false};
  table[static_cast<size_t>(RecordKind::kSyncMark)] = {true, false, false, false, false};
  table[static_cast<size_t>(RecordKind::kFence)] = {true, true, false, false, false};
  return table;
}

// The kinds that have a trait, one bit for each: telling takes a shift, and no load.
constexpr uint64_t KindsWith(bool RecordKindTraits::*trait) {
  const std::array<RecordKindTraits, kEndOfKinds> table = MakeTable();
  uint64_t kinds = 0;
  for (size_t kind = 0; kind < table.size(); ++kind) {
    if (table[kind].*trait) kinds |= uint64_t{1} << kind;
  }
  return kinds;
}

constexpr uint8_t LowestKind(uint64_t kinds) {
  uint8_t kind = 0;
  while (((kinds >> kind) & 1) == 0) ++kind;
  return kind;
}

template <bool RecordKindTraits::*kTrait>
inline bool Has(RecordKind kind) {
  constexpr uint64_t kKinds = KindsWith(kTrait);
  // If only one kind has it, a comparison is cheaper still.
  if constexpr ((kKinds & (kKinds - 1)) == 0) {
    return static_cast<uint8_t>(kind) == LowestKind(kKinds);
  }
  return ((kKinds >> (static_cast<uint8_t>(kind) % kEndOfKinds)) & 1) != 0;
}

}  // namespace record_kind_internal

inline bool IsKnownKind(RecordKind kind) {
  return record_kind_internal::Has<&RecordKindTraits::known>(kind);
}
inline bool IsSkippableKind(RecordKind kind) {
  return static_cast<uint8_t>(kind) >= kFirstSkippableKind;
}
inline bool HasOwnSequence(RecordKind kind) {
  return record_kind_internal::Has<&RecordKindTraits::own_sequence>(kind);
}
inline bool IsDataKind(RecordKind kind) {
  return record_kind_internal::Has<&RecordKindTraits::data>(kind);
}
inline bool IsTombstoneKind(RecordKind kind) {
  return record_kind_internal::Has<&RecordKindTraits::tombstone>(kind);
}
inline bool IsReadableKind(RecordKind kind) {
  return record_kind_internal::Has<&RecordKindTraits::readable>(kind);
}

}  // namespace rumcask

#endif  // RUMCASK_CORE_FORMAT_RECORD_KIND_H_
