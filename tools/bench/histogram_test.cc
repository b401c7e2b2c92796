#include "tools/bench/histogram.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tools/bench/random.h"

namespace rumcask::bench {
namespace {

TEST(HistogramTest, EmptyIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0);
  EXPECT_EQ(histogram.min(), 0);
  EXPECT_EQ(histogram.max(), 0);
  EXPECT_EQ(histogram.Mean(), 0);
  EXPECT_EQ(histogram.ValueAtPercentile(99), 0);
}

TEST(HistogramTest, PercentilesOfOneToAThousand) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 1000; ++value) histogram.Record(value);
  EXPECT_EQ(histogram.count(), 1000);
  EXPECT_EQ(histogram.min(), 1);
  EXPECT_EQ(histogram.max(), 1000);
  EXPECT_EQ(histogram.Mean(), 500.5);
  EXPECT_NEAR(histogram.StandardDeviation(), 288.675, 0.001);
  EXPECT_EQ(histogram.ValueAtPercentile(0), 1);
  EXPECT_EQ(histogram.ValueAtPercentile(50), 500);
  EXPECT_EQ(histogram.ValueAtPercentile(90), 900);
  EXPECT_EQ(histogram.ValueAtPercentile(99), 990);
  EXPECT_EQ(histogram.ValueAtPercentile(99.9), 999);
  EXPECT_EQ(histogram.ValueAtPercentile(99.99), 1000);
  EXPECT_EQ(histogram.ValueAtPercentile(100), 1000);
}

// The example of HdrHistogram's documentation: 10,000 times 1 millisecond and once 100 seconds.
TEST(HistogramTest, OneStallAmongTenThousand) {
  Histogram histogram;
  histogram.Record(1000000, 10000);
  histogram.Record(100000000000);
  EXPECT_EQ(histogram.ValueAtPercentile(50), 1000447);  // the end of the bucket of 1,000,000
  EXPECT_EQ(histogram.ValueAtPercentile(99.99), 1000447);
  EXPECT_EQ(histogram.ValueAtPercentile(99.999), 100000000000);
  EXPECT_EQ(histogram.max(), 100000000000);
}

TEST(HistogramTest, NoValueIsReportedMoreThanAThousandthTooHigh) {
  Random random(1);
  for (int bits = 0; bits < 64; ++bits) {
    for (int i = 0; i < 100; ++i) {
      const uint64_t value = (uint64_t{1} << bits) + random.Below(uint64_t{1} << bits);
      Histogram histogram;
      histogram.Record(value);
      // A larger value is added, so that the end of the bucket is reported and not the maximum.
      histogram.Record(UINT64_MAX);
      const uint64_t reported = histogram.ValueAtPercentile(50);
      ASSERT_GE(reported, value);
      ASSERT_LE(static_cast<double>(reported - value), static_cast<double>(value) / 1000)
          << value << " reported as " << reported;
      if (value < 2048) {
        ASSERT_EQ(reported, value);
      }
    }
  }
}

TEST(HistogramTest, AgreesWithSortedValues) {
  Random random(7);
  Histogram histogram;
  std::vector<uint64_t> values;
  for (int i = 0; i < 100000; ++i) {
    values.push_back(100 + (random.Next() >> (20 + random.Below(40))));
    histogram.Record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double percentile : {1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 99.99}) {
    const auto rank = static_cast<size_t>(percentile / 100 * 100000 + 0.5);
    const auto exact = static_cast<double>(values[rank - 1]);
    const auto reported = static_cast<double>(histogram.ValueAtPercentile(percentile));
    EXPECT_GE(reported, exact) << percentile;
    EXPECT_LE(reported, exact * 1.001) << percentile;
  }
}

TEST(HistogramTest, MergingIsRecordingAll) {
  Random random(3);
  Histogram all;
  Histogram first;
  Histogram second;
  for (int i = 0; i < 10000; ++i) {
    const uint64_t value = random.Below(1000000);
    all.Record(value);
    (i % 3 == 0 ? first : second).Record(value);
  }
  first.Merge(second);
  EXPECT_EQ(first.Buckets(), all.Buckets());
  EXPECT_EQ(first.sum(), all.sum());
  EXPECT_EQ(first.min(), all.min());
  EXPECT_EQ(first.max(), all.max());
  first.Merge(Histogram());
  EXPECT_EQ(first.min(), all.min());
}

TEST(HistogramTest, BucketsBringItBack) {
  Histogram histogram;
  for (const uint64_t value : {uint64_t{0}, uint64_t{5}, uint64_t{3000}, UINT64_MAX / 3}) {
    histogram.Record(value);
  }
  const Histogram back = Histogram::FromBuckets(histogram.Buckets(), histogram.min(),
                                                histogram.max(), histogram.sum());
  EXPECT_EQ(back.Buckets(), histogram.Buckets());
  EXPECT_EQ(back.ValueAtPercentile(100), histogram.max());
  EXPECT_EQ(back.Mean(), histogram.Mean());
  // Out of range, as in a file that someone has edited.
  EXPECT_EQ(Histogram::FromBuckets({{Histogram::BucketCount(), 1}}, 1, 1, 1).count(), 0);
}

TEST(HistogramTest, ClearForgets) {
  Histogram histogram;
  histogram.Record(17);
  histogram.Clear();
  histogram.Record(5);
  EXPECT_EQ(histogram.count(), 1);
  EXPECT_EQ(histogram.min(), 5);
  EXPECT_EQ(histogram.max(), 5);
}

// Computed by hand from HdrHistogram's definition: levels 0, 10, ... 50 %, then five for each
// halving of the rest.
TEST(HistogramTest, PercentileText) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 10; ++value) histogram.Record(value * 100);
  EXPECT_EQ(histogram.PercentileText(100),
            "       Value     Percentile TotalCount 1/(1-Percentile)\n"
            "\n"
            "       1.000 0.000000000000          1           1.00\n"
            "       1.000 0.100000000000          1           1.11\n"
            "       2.000 0.200000000000          2           1.25\n"
            "       3.000 0.300000000000          3           1.43\n"
            "       4.000 0.400000000000          4           1.67\n"
            "       5.000 0.500000000000          5           2.00\n"
            "       6.000 0.550000000000          6           2.22\n"
            "       6.000 0.600000000000          6           2.50\n"
            "       7.000 0.650000000000          7           2.86\n"
            "       7.000 0.700000000000          7           3.33\n"
            "       8.000 0.750000000000          8           4.00\n"
            "       8.000 0.775000000000          8           4.44\n"
            "       8.000 0.800000000000          8           5.00\n"
            "       9.000 0.825000000000          9           5.71\n"
            "       9.000 0.850000000000          9           6.67\n"
            "       9.000 0.875000000000          9           8.00\n"
            "       9.000 0.887500000000          9           8.89\n"
            "       9.000 0.900000000000          9          10.00\n"
            "      10.000 0.912500000000         10          11.43\n"
            "      10.000 1.000000000000         10\n"
            "#[Mean    =        5.500, StdDeviation   =        2.872]\n"
            "#[Max     =       10.000, Total count    =           10]\n"
            "#[Buckets =           54, SubBuckets     =         2048]\n");
}

}  // namespace
}  // namespace rumcask::bench
