#include "tools/bench/value_sizes.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"

#include "core/system/text.h"

namespace rumcask::bench {
namespace {

constexpr double kPi = 3.14159265358979323846;

// Whether `text` is two numbers with `separator` between them.
bool ParsePair(std::string_view text, char separator, double* a, double* b) {
  const size_t middle = text.find(separator);
  return middle != std::string_view::npos && absl::SimpleAtod(Text(text.substr(0, middle)), a) &&
         absl::SimpleAtod(Text(text.substr(middle + 1)), b) && *a >= 0 && *b >= 0;
}

std::string RandomBytes(uint64_t seed, uint64_t size) {
  std::string bytes(size, '\0');
  Random random(seed);
  for (size_t i = 0; i + 8 <= bytes.size(); i += 8) {
    const uint64_t word = random.Next();
    std::memcpy(bytes.data() + i, &word, 8);
  }
  return bytes;
}

}  // namespace

absl::StatusOr<ValueSizes> ValueSizes::Parse(std::string_view text) {
  const absl::Status error = absl::InvalidArgumentError(
      absl::StrFormat("'%s' is no distribution of value sizes; there are BYTES, uniform:FROM-TO, "
                      "normal:MEAN,DEVIATION and pareto:SHAPE,SCALE, up to %d bytes",
                      text, kMax));
  const size_t colon = text.find(':');
  const std::string_view name = colon == std::string_view::npos ? "fixed" : text.substr(0, colon);
  const std::string_view rest = colon == std::string_view::npos ? text : text.substr(colon + 1);
  double a = 0;
  double b = 0;
  if (name == "fixed") {
    uint64_t fixed = 0;
    if (!absl::SimpleAtoi(Text(rest), &fixed) || fixed > kMax) return error;
    return ValueSizes(fixed);
  }
  if (name == "uniform") {
    if (!ParsePair(rest, '-', &a, &b) || a > b || b > static_cast<double>(kMax)) return error;
    return ValueSizes(Kind::kUniform, std::floor(a), std::floor(b));
  }
  if (!ParsePair(rest, ',', &a, &b) || a > static_cast<double>(kMax)) return error;
  if (name == "normal") return ValueSizes(Kind::kNormal, a, b);
  if (name == "pareto" && a > 0) return ValueSizes(Kind::kPareto, a, b);
  return error;
}

uint64_t ValueSizes::Next(Random* random) const {
  double size = a_;
  switch (kind_) {
    case Kind::kFixed:
      break;
    case Kind::kUniform:
      return static_cast<uint64_t>(a_) + random->Below(static_cast<uint64_t>(b_ - a_) + 1);
    case Kind::kNormal: {
      // The Box-Muller method.
      const double radius = std::sqrt(-2 * std::log(1 - random->NextDouble()));
      size = std::round(a_ + b_ * radius * std::cos(2 * kPi * random->NextDouble()));
      break;
    }
    case Kind::kPareto:
      size = std::max(1.0, std::floor(b_ * (std::pow(1 - random->NextDouble(), -a_) - 1) / a_));
      break;
  }
  return static_cast<uint64_t>(std::clamp(size, 0.0, static_cast<double>(Longest())));
}

std::string ValueSizes::ToString() const {
  switch (kind_) {
    case Kind::kFixed:
      return absl::StrFormat("%.0f", a_);
    case Kind::kUniform:
      return absl::StrFormat("uniform:%.0f-%.0f", a_, b_);
    case Kind::kNormal:
      return absl::StrFormat("normal:%g,%g", a_, b_);
    case Kind::kPareto:
      return absl::StrFormat("pareto:%g,%g", a_, b_);
  }
  return "";
}

uint64_t ValueSizes::Longest() const {
  double longest = a_;
  if (kind_ == Kind::kUniform) longest = b_;
  if (kind_ == Kind::kNormal) longest = a_ + 6 * b_;
  if (kind_ == Kind::kPareto) longest = 1 << 20;
  return static_cast<uint64_t>(std::min(longest, static_cast<double>(kMax)));
}

ValueBytes::ValueBytes(uint64_t seed, uint64_t longest)
    : bytes_(RandomBytes(seed, std::max<uint64_t>(uint64_t{1} << 20, 2 * longest))) {}

}  // namespace rumcask::bench
