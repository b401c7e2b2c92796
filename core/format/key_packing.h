// The keys of a block of a key table, packed together.
//
// The keys are written one behind the other without what they all begin with, and in as few bits
// for a byte as the number of different bytes among them asks for: decimal digits take 3 1/3 bits,
// hexadecimal ones 4, base64 6. Keys that use all bytes are written as they are.
//
//   prefix len  varint, then the prefix: what all keys begin with that are not empty
//   coding      1 byte: 0 as they are, 1 to 7 so many bits for a byte, 10 three bytes in ten bits
//   alphabet    unless the coding is 0: 1 byte for its size, and that many bytes in ascending order
//   codes       of all bytes of all keys, in order, least significant bits first, filled up with
//               zero bits to a whole byte. The code of a byte is its place in the alphabet; with
//               coding 10, a group of three is a + n (b + n c), where n is the alphabet's size. The
//               last group may stand for fewer.

#ifndef RUMCASK_CORE_FORMAT_KEY_PACKING_H_
#define RUMCASK_CORE_FORMAT_KEY_PACKING_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rumcask {

// Appends the keys to `*to`. `keys` is all of them, one behind the other, and `sizes` has their
// lengths.
void PackKeys(std::string_view keys, const std::vector<uint32_t>& sizes, std::string* to);

// Keys that were packed. The bytes may be hostile: some keys come of anything that Parse takes.
class PackedKeys {
 public:
  // Takes packed keys of these lengths, `total` together, off the front of `*from`, which must
  // outlive the object. False if there are none.
  bool Parse(std::string_view* from, const std::vector<uint32_t>& sizes, uint64_t total);

  // The keys one behind the other: in the bytes that were parsed if they stand there, otherwise in
  // `*buffer`.
  const char* Unpack(const std::vector<uint32_t>& sizes, std::vector<char>* buffer) const;

 private:
  void Decode(char* to) const;

  std::string_view prefix_;
  uint8_t coding_ = 0;
  std::string_view alphabet_;
  std::string_view codes_;
  uint64_t bytes_ = 0;        // without the prefixes
  uint64_t total_bytes_ = 0;  // with them
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_FORMAT_KEY_PACKING_H_
