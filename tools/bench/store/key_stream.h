// The keys and values that both store and yardstick get.

#ifndef RUMCASK_TOOLS_BENCH_STORE_KEY_STREAM_H_
#define RUMCASK_TOOLS_BENCH_STORE_KEY_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>

namespace rumcask::bench {

// A bijection that scatters numbers over all 64-bit words (Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators", 2014).
inline uint64_t Scatter64(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

// The 16 bytes of the key with a number. They are computed where they are used, which takes some
// two nanoseconds; a table of keys would evict the stores' own data from the processor's caches.
class Key {
 public:
  static constexpr size_t kBytes = 16;

  explicit Key(uint64_t number) {
    const uint64_t words[2] = {Scatter64(number), number};
    std::memcpy(bytes_, words, kBytes);
  }

  std::string_view view() const { return {bytes_, kBytes}; }

 private:
  char bytes_[kBytes];
};

// Keys in random order; some occur twice and some never.
class RandomKeys {
 public:
  // Numbers below `keys`. Another `seed` gives another order.
  RandomKeys(uint64_t keys, uint64_t seed) : keys_(keys), state_(Scatter64(seed)) {}

  uint64_t Next() {
    return static_cast<uint64_t>(static_cast<unsigned __int128>(Scatter64(state_++)) * keys_ >> 64);
  }

 private:
  uint64_t keys_;
  uint64_t state_;
};

// Values that differ from each other and cannot be compressed.
class Values {
 public:
  explicit Values(size_t value_bytes)
      : value_bytes_(value_bytes), bytes_(value_bytes + kPlaces, '\0') {
    std::mt19937_64 random(1);
    for (char& byte : bytes_) byte = static_cast<char>(random());
  }

  std::string_view Of(uint64_t number) const {
    return {bytes_.data() + number % kPlaces, value_bytes_};
  }

 private:
  static constexpr size_t kPlaces = 1024;

  size_t value_bytes_;
  std::string bytes_;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_STORE_KEY_STREAM_H_
