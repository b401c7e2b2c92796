// The lengths of values.

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

  // The distribution described by "100" or "fixed:100"; "uniform:10-1000", with both ends included;
  // "normal:MEAN,DEVIATION", cut at 0; or "pareto:SHAPE,SCALE", the generalised Pareto
  // distribution, at least 1. InvalidArgument for other texts.
  static absl::StatusOr<ValueSizes> Parse(std::string_view text);

  uint64_t Next(Random* random) const;

  // In the form that Parse takes.
  std::string ToString() const;

  // Longer sizes are cut to this: 6 deviations above the mean of a normal distribution, 1 MiB for a
  // Pareto distribution.
  uint64_t Longest() const;

 private:
  enum class Kind { kFixed, kUniform, kNormal, kPareto };
  ValueSizes(Kind kind, double a, double b) : kind_(kind), a_(a), b_(b) {}

  Kind kind_;
  double a_;
  double b_ = 0;
};

// Values to write, which are pieces of one megabyte of incompressible bytes. The pieces are valid
// as long as this object.
class ValueBytes {
 public:
  // For values of up to `longest` bytes.
  ValueBytes(uint64_t seed, uint64_t longest);

  // Begins with the first piece again.
  void Restart() { position_ = 0; }

  // `size` bytes that differ from the ones before.
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
