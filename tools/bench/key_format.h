// Converts the number of a key to its bytes.

#ifndef RUMCASK_TOOLS_BENCH_KEY_FORMAT_H_
#define RUMCASK_TOOLS_BENCH_KEY_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tools/bench/permutation.h"

namespace rumcask::bench {

// Keys of one size: up to 16 hexadecimal digits, followed by zeros. They are in the order of their
// numbers or, if `hashed`, scattered over all such keys.
class KeyFormat {
 public:
  KeyFormat(size_t key_size, bool hashed)
      : size_(key_size), digits_(key_size < 16 ? key_size : 16), hashed_(hashed) {}

  size_t size() const { return size_; }

  // The number of different keys of this size.
  static uint64_t Capacity(size_t key_size) {
    return key_size >= 16 ? UINT64_MAX : uint64_t{1} << (4 * key_size);
  }

  // Replaces `*key`.
  void Write(uint64_t number, std::string* key) const {
    if (hashed_) number = Hash(number);
    key->resize(size_, '0');
    char* end = key->data() + digits_;
    for (size_t i = 0; i < digits_; ++i) {
      *--end = "0123456789abcdef"[number & 15];
      number >>= 4;
    }
  }

  // Writes a key that no number has, next to the key of this number.
  void WriteMissing(uint64_t number, std::string* key) const {
    Write(number, key);
    key->push_back('.');
  }

 private:
  uint64_t Hash(uint64_t number) const {
    return digits_ == 16 ? Scatter(number + 1) : Permutation(Capacity(digits_), 0)(number);
  }

  size_t size_;
  size_t digits_;
  bool hashed_;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_KEY_FORMAT_H_
