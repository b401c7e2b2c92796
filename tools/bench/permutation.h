// The numbers below n in a random order, without a table.

#ifndef RUMCASK_TOOLS_BENCH_PERMUTATION_H_
#define RUMCASK_TOOLS_BENCH_PERMUTATION_H_

#include <cstdint>

#include "absl/numeric/bits.h"

#include "tools/bench/random.h"

namespace rumcask::bench {

// A bijection of [0, size) that a seed chooses.
class Permutation {
 public:
  Permutation(uint64_t size, uint64_t seed)
      : size_(size),
        bits_(size <= 1 ? 1 : static_cast<int>(absl::bit_width(size - 1))),
        mask_(bits_ == 64 ? ~uint64_t{0} : (uint64_t{1} << bits_) - 1),
        shift_((bits_ + 1) / 2),
        offset_(Scatter(seed + 1)) {}

  // `index` must be below the size.
  uint64_t operator()(uint64_t index) const {
    // Applies a bijection of a power of two repeatedly until the result is below the size. At most
    // every second number is not.
    uint64_t x = index;
    do {
      x = Mix(x);
    } while (x >= size_);
    return x;
  }

 private:
  // Each step can be undone: adding, multiplying by an odd number, folding the upper half down.
  uint64_t Mix(uint64_t x) const {
    x = (x + offset_) & mask_;
    x ^= x >> shift_;
    x = (x * 0xff51afd7ed558ccd) & mask_;
    x ^= x >> shift_;
    x = (x * 0xc4ceb9fe1a85ec53) & mask_;
    x ^= x >> shift_;
    return x;
  }

  uint64_t size_;
  int bits_;
  uint64_t mask_;
  int shift_;
  uint64_t offset_;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_PERMUTATION_H_
