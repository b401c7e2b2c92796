// Where a record is. This is what a keystore stores for a key.
//
//   63        43 42                 15 14          0
//  +------------+---------------------+-------------+
//  | slot (21)  | offset / 8 (28)     | length/8(15)|
//  +------------+---------------------+-------------+
//
// `slot` numbers a segment within one opening of the database (Log). `offset` is that of the
// record's first byte, below 2 GiB. `length` is the record's exact size on disk, so that one read
// fetches the record, and the bytes of a replaced record are known without touching the log. A
// record of 256 KiB - 8 bytes or more has kLongLength instead, and its length is in its header.
//
// An offset has 28 bits because a batch of up to 1 GiB + 64 MiB lies in one segment.

#ifndef RUMCASK_CORE_PLUGIN_LOCATION_H_
#define RUMCASK_CORE_PLUGIN_LOCATION_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>

namespace rumcask {

// The place of a record, as one word.
class Location {
 public:
  // How many bits each part has.
  static constexpr int kSlotBits = 21;
  static constexpr int kOffsetBits = 28;
  static constexpr int kLengthBits = 15;
  // The number of slots, and the bounds of offset() and length().
  static constexpr uint32_t kMaxSlots = 1u << kSlotBits;
  static constexpr uint64_t kMaxOffset = ((uint64_t{1} << kOffsetBits) - 1) * 8;
  static constexpr uint64_t kLongLength = ((uint64_t{1} << kLengthBits) - 1) * 8;

  // Means that the key does not exist.
  constexpr Location() = default;

  // `offset` and `length` are multiples of 8; `offset` > 0, because every segment begins with a
  // header.
  static constexpr Location Make(uint32_t slot, uint64_t offset, uint64_t length) {
    const uint64_t stored = length < kLongLength ? length : kLongLength;
    return Location((uint64_t{slot} << (kOffsetBits + kLengthBits)) |
                    ((offset / 8) << kLengthBits) | (stored / 8));
  }
  // The location that has these bits().
  static constexpr Location FromBits(uint64_t bits) { return Location(bits); }

  // The word itself.
  constexpr uint64_t bits() const { return bits_; }
  // Whether the key has a record.
  constexpr bool exists() const { return bits_ != 0; }
  // The segment's number.
  constexpr uint32_t slot() const {
    return static_cast<uint32_t>(bits_ >> (kOffsetBits + kLengthBits));
  }
  // That of the record's first byte in the segment.
  constexpr uint64_t offset() const {
    return ((bits_ >> kLengthBits) & ((uint64_t{1} << kOffsetBits) - 1)) * 8;
  }
  // Of the record on disk; kLongLength if the length has to be read from the record's header.
  constexpr uint64_t length() const { return (bits_ & ((uint64_t{1} << kLengthBits) - 1)) * 8; }
  // Whether it has to be read from there.
  constexpr bool is_long() const { return length() == kLongLength; }

  // These compare the words.
  friend constexpr bool operator==(Location a, Location b) { return a.bits_ == b.bits_; }
  friend constexpr bool operator!=(Location a, Location b) { return a.bits_ != b.bits_; }

 private:
  explicit constexpr Location(uint64_t bits) : bits_(bits) {}

  uint64_t bits_ = 0;
};

static_assert(sizeof(Location) == 8, "eight bytes of RAM a key");

}  // namespace rumcask

#endif  // RUMCASK_CORE_PLUGIN_LOCATION_H_
