// Counts latencies with a precision of three significant digits.

#ifndef RUMCASK_TOOLS_BENCH_HISTOGRAM_H_
#define RUMCASK_TOOLS_BENCH_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace rumcask::bench {

// Counts 64-bit values in log-linear buckets, as HdrHistogram does with three significant digits.
// Below 2,048 each value has its own bucket; above that, each power of two is divided into 1,024.
// So no value is reported more than 0.1 % too high. Not thread-safe; give each thread its own
// histogram and merge them.
class Histogram {
 public:
  Histogram();

  void Record(uint64_t value) { Record(value, 1); }
  void Record(uint64_t value, uint64_t count);
  void Merge(const Histogram& other);
  void Clear();

  uint64_t count() const { return count_; }
  // Exact. 0 for an empty histogram.
  uint64_t min() const { return count_ == 0 ? 0 : min_; }
  uint64_t max() const { return max_; }
  double Mean() const;
  double StandardDeviation() const;

  // The smallest value, to the precision of the buckets, that at least `percentile` percent of the
  // values do not exceed. 0 for an empty histogram.
  uint64_t ValueAtPercentile(double percentile) const;

  // The text format of HdrHistogram's plotter: values are divided by `unit`, and there are five
  // lines for each halving of the distance to 100 %.
  std::string PercentileText(double unit) const;

  // The buckets in use, as (index, count). FromBuckets restores the histogram, but is given the
  // exact extremes and the sum.
  std::vector<std::pair<size_t, uint64_t>> Buckets() const;
  uint64_t sum() const { return sum_; }
  static Histogram FromBuckets(const std::vector<std::pair<size_t, uint64_t>>& buckets,
                               uint64_t min, uint64_t max, uint64_t sum);

  static size_t BucketCount();

 private:
  static size_t IndexOf(uint64_t value);
  static uint64_t LowestOf(size_t index);
  static uint64_t HighestOf(size_t index);

  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t min_ = UINT64_MAX;
  uint64_t max_ = 0;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_HISTOGRAM_H_
