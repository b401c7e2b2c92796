#include "tools/bench/histogram.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/numeric/bits.h"
#include "absl/strings/str_format.h"

namespace rumcask::bench {
namespace {

// Buckets per power of two; this is the smallest number that keeps three digits.
constexpr int kHalfBits = 10;
constexpr uint64_t kHalf = uint64_t{1} << kHalfBits;
constexpr size_t kBuckets = (64 - kHalfBits - 1) * kHalf + 2 * kHalf;

int ShiftOf(size_t index) {
  return index < 2 * kHalf ? 0 : static_cast<int>(index >> kHalfBits) - 1;
}

}  // namespace

Histogram::Histogram() : counts_(kBuckets) {}

size_t Histogram::BucketCount() { return kBuckets; }

size_t Histogram::IndexOf(uint64_t value) {
  if (value < 2 * kHalf) return value;
  const int shift = static_cast<int>(absl::bit_width(value)) - kHalfBits - 1;
  return (static_cast<uint64_t>(shift) << kHalfBits) + (value >> shift);
}

uint64_t Histogram::LowestOf(size_t index) {
  const int shift = ShiftOf(index);
  return (index - (static_cast<uint64_t>(shift) << kHalfBits)) << shift;
}

uint64_t Histogram::HighestOf(size_t index) {
  return LowestOf(index) + ((uint64_t{1} << ShiftOf(index)) - 1);
}

void Histogram::Record(uint64_t value, uint64_t count) {
  if (count == 0) return;
  counts_[IndexOf(value)] += count;
  count_ += count;
  sum_ += value * count;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
}

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

void Histogram::Clear() {
  std::fill(counts_.begin(), counts_.end(), 0);
  count_ = 0;
  sum_ = 0;
  min_ = UINT64_MAX;
  max_ = 0;
}

double Histogram::Mean() const {
  return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

double Histogram::StandardDeviation() const {
  if (count_ == 0) return 0;
  const double mean = Mean();
  double squares = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    if (counts_[i] == 0) continue;
    const double middle =
        static_cast<double>(LowestOf(i)) + static_cast<double>(HighestOf(i) - LowestOf(i)) / 2;
    squares += (middle - mean) * (middle - mean) * static_cast<double>(counts_[i]);
  }
  return std::sqrt(squares / static_cast<double>(count_));
}

uint64_t Histogram::ValueAtPercentile(double percentile) const {
  if (count_ == 0) return 0;
  const double share = std::min(percentile, 100.0) / 100;
  // 99.9 % of 1,000 is 999, although not exactly in binary fractions.
  const double wanted = std::ceil(share * static_cast<double>(count_) - 1e-6);
  const uint64_t rank =
      std::clamp<uint64_t>(wanted < 1 ? 1 : static_cast<uint64_t>(wanted), 1, count_);
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += counts_[i];
    if (seen >= rank) return std::min(HighestOf(i), max_);
  }
  return max_;
}

std::string Histogram::PercentileText(double unit) const {
  constexpr double kTicksPerHalving = 5;
  std::string text = absl::StrFormat("%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
                                     "1/(1-Percentile)");
  const auto line = [&](size_t index, double level, uint64_t seen) {
    const double value = static_cast<double>(HighestOf(index)) / unit;
    absl::StrAppendFormat(&text, "%12.3f %2.12f %10d", value, level / 100, seen);
    if (level < 100) absl::StrAppendFormat(&text, " %14.2f", 1 / (1 - level / 100));
    text += "\n";
  };
  double level = 0;
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets && seen < count_; ++i) {
    if (counts_[i] == 0) continue;
    seen += counts_[i];
    while (100.0 * static_cast<double>(seen) / static_cast<double>(count_) >= level) {
      line(i, level, seen);
      if (seen == count_) {
        line(i, 100, seen);
        break;
      }
      const double halvings = std::floor(std::log2(100 / (100 - level))) + 1;
      level += 100 / (kTicksPerHalving * std::exp2(halvings));
    }
  }
  absl::StrAppendFormat(&text, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", Mean() / unit,
                        StandardDeviation() / unit);
  absl::StrAppendFormat(&text, "#[Max     = %12.3f, Total count    = %12d]\n",
                        static_cast<double>(max_) / unit, count_);
  absl::StrAppendFormat(&text, "#[Buckets = %12d, SubBuckets     = %12d]\n", kBuckets / kHalf - 1,
                        2 * kHalf);
  return text;
}

std::vector<std::pair<size_t, uint64_t>> Histogram::Buckets() const {
  std::vector<std::pair<size_t, uint64_t>> buckets;
  for (size_t i = 0; i < kBuckets; ++i) {
    if (counts_[i] != 0) buckets.emplace_back(i, counts_[i]);
  }
  return buckets;
}

Histogram Histogram::FromBuckets(const std::vector<std::pair<size_t, uint64_t>>& buckets,
                                 uint64_t min, uint64_t max, uint64_t sum) {
  Histogram histogram;
  for (const auto& [index, count] : buckets) {
    if (index >= kBuckets) continue;
    histogram.counts_[index] += count;
    histogram.count_ += count;
  }
  if (histogram.count_ == 0) return histogram;
  histogram.min_ = min;
  histogram.max_ = max;
  histogram.sum_ = sum;
  return histogram;
}

}  // namespace rumcask::bench
