// How long the values are.

#ifndef RUMCASK_TOOLS_BENCH_VALUE_SIZES_H_
#define RUMCASK_TOOLS_BENCH_VALUE_SIZES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "tools/bench/random.h"

namespace rumcask::bench {

// A distribution of sizes of at most kMax bytes.
class ValueSizes {
 public:
  static constexpr uint64_t kMax = uint64_t{64} << 20;

  explicit ValueSizes(uint64_t fixed) : kind_(Kind::kFixed), a_(static_cast<double>(fixed)) {}

  // "100" or "fixed:100"; "uniform:10-1000", both ends included; "normal:MEAN,DEVIATION", cut at 0;
  // "pareto:SHAPE,SCALE", the generalised Pareto distribution, at least 1. InvalidArgument if it is
  // something else.
  static absl::StatusOr<ValueSizes> Parse(std::string_view text);

  uint64_t Next(Random* random) const;

  // As Parse would take it.
  std::string ToString() const;

  // Longer ones are cut to this: 6 deviations above a normal mean, 1 MiB of a Pareto distribution.
  uint64_t Longest() const;

 private:
  enum class Kind { kFixed, kUniform, kNormal, kPareto };
  ValueSizes(Kind kind, double a, double b) : kind_(kind), a_(a), b_(b) {}

  Kind kind_;
  double a_;
  double b_ = 0;
};

// Values to write: pieces of one megabyte that does not compress. The pieces live as long as this.
class ValueBytes {
 public:
  // For values up to `longest` bytes.
  ValueBytes(uint64_t seed, uint64_t longest);

  // Begins again with the first piece.
  void Restart() { position_ = 0; }

  // `size` bytes, other ones than the last time.
  std::string_view Next(size_t size) {
    if (position_ + size > bytes_.size()) position_ = 0;
    const std::string_view piece(bytes_.data() + position_, size);
    position_ += size | 1;
    return piece;
  }

 private:
  const std::string bytes_;
  size_t position_ = 0;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_VALUE_SIZES_H_
