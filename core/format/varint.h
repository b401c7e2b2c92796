// Variable-length integers: seven bits a byte, least significant first, as in Protocol Buffers.

#ifndef RUMCASK_CORE_FORMAT_VARINT_H_
#define RUMCASK_CORE_FORMAT_VARINT_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace rumcask {

inline void AppendVarint(std::string* to, uint64_t value) {
  while (value >= 128) {
    to->push_back(static_cast<char>(value | 128));
    value >>= 7;
  }
  to->push_back(static_cast<char>(value));
}

// Takes a varint off the front of `*from`. False if there is none or if it exceeds 64 bits.
inline bool ReadVarint(std::string_view* from, uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 64 && !from->empty(); shift += 7) {
    const uint8_t byte = static_cast<uint8_t>((*from)[0]);
    from->remove_prefix(1);
    if (shift == 63 && byte > 1) return false;
    *value |= uint64_t{byte & 127u} << shift;
    if (byte < 128) return true;
  }
  return false;
}

// Maps small positive and negative differences, given modulo 2^64, to small numbers.
inline uint64_t ZigZag(uint64_t difference) {
  return (difference << 1) ^ (difference >> 63 ? ~uint64_t{0} : 0);
}
inline uint64_t UnZigZag(uint64_t value) { return (value >> 1) ^ (value & 1 ? ~uint64_t{0} : 0); }

}  // namespace rumcask

#endif  // RUMCASK_CORE_FORMAT_VARINT_H_
