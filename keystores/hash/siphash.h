// SipHash with a 128-bit result (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012,
// and the reference implementation's 128-bit variant).
//
// It is a pseudorandom function: without the key nobody can choose inputs that collide. So two keys
// of a database have the same digest with the probability of a birthday collision and not more.

#ifndef RUMCASK_KEYSTORES_HASH_SIPHASH_H_
#define RUMCASK_KEYSTORES_HASH_SIPHASH_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace rumcask {

struct SipKey {
  uint64_t k0 = 0;
  uint64_t k1 = 0;
};

// SipHash-kCompression-kFinalization-128 of `input` into `digest`, least significant word first.
template <int kCompression, int kFinalization>
class SipHash {
 public:
  static void Digest128(const SipKey& key, std::string_view input, uint64_t digest[2]) {
    State s(key);
    const char* at = input.data();
    const size_t tail = input.size() % 8;
    const char* const end = at + (input.size() - tail);
    for (; at != end; at += 8) s.Absorb(LoadWord(at));
    s.Absorb(uint64_t{input.size()} << 56 | LoadTail(at, tail));
    s.v2 ^= 0xee;
    s.template Rounds<kFinalization>();
    digest[0] = s.Folded();
    s.v1 ^= 0xdd;
    s.template Rounds<kFinalization>();
    digest[1] = s.Folded();
  }

 private:
  struct State {
    explicit State(const SipKey& key)
        : v0(key.k0 ^ 0x736f6d6570736575),
          v1(key.k1 ^ 0x646f72616e646f6d ^ 0xee),
          v2(key.k0 ^ 0x6c7967656e657261),
          v3(key.k1 ^ 0x7465646279746573) {}

    static uint64_t Rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

    template <int kRounds>
    void Rounds() {
#pragma GCC unroll 4
      for (int i = 0; i < kRounds; ++i) {
        v0 += v1;
        v2 += v3;
        v1 = Rotate(v1, 13) ^ v0;
        v3 = Rotate(v3, 16) ^ v2;
        v0 = Rotate(v0, 32);
        v2 += v1;
        v0 += v3;
        v1 = Rotate(v1, 17) ^ v2;
        v3 = Rotate(v3, 21) ^ v0;
        v2 = Rotate(v2, 32);
      }
    }

    void Absorb(uint64_t word) {
      v3 ^= word;
      Rounds<kCompression>();
      v0 ^= word;
    }

    uint64_t Folded() const { return v0 ^ v1 ^ v2 ^ v3; }

    uint64_t v0, v1, v2, v3;
  };

  static uint64_t LoadWord(const char* at) {
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
  }

  // Returns the last 0 to 7 bytes as a little-endian number, without a call or a loop.
  static uint64_t LoadTail(const char* at, size_t bytes) {
    if (bytes >= 4) {
      uint32_t low, high;
      memcpy(&low, at, 4);
      memcpy(&high, at + bytes - 4, 4);
      return low | uint64_t{high} << ((bytes - 4) * 8);
    }
    if (bytes == 0) return 0;
    const auto byte = [at](size_t i) { return uint64_t{static_cast<unsigned char>(at[i])}; };
    return byte(0) | byte(bytes / 2) << (bytes / 2 * 8) | byte(bytes - 1) << ((bytes - 1) * 8);
  }
};

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_HASH_SIPHASH_H_
