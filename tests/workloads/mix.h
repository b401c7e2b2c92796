// Numbers that look random and are the same in every process.

#ifndef RUMCASK_TESTS_WORKLOADS_MIX_H_
#define RUMCASK_TESTS_WORKLOADS_MIX_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace rumcask {

// SplitMix64's finisher.
inline uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// `size` letters, a to p, that follow from `seed`.
inline std::string Letters(uint64_t seed, size_t size) {
  constexpr uint64_t kEach = 0x0101010101010101;
  std::string letters((size + 15) / 16 * 16, '\0');
  for (size_t i = 0; i < letters.size(); i += 16) {
    const uint64_t bits = Mix(seed + i);
    const uint64_t first = (bits & 0x0f * kEach) + 'a' * kEach;
    const uint64_t second = (bits >> 4 & 0x0f * kEach) + 'a' * kEach;
    std::memcpy(letters.data() + i, &first, 8);
    std::memcpy(letters.data() + i + 8, &second, 8);
  }
  letters.resize(size);
  return letters;
}

}  // namespace rumcask

#endif  // RUMCASK_TESTS_WORKLOADS_MIX_H_
