// Tests the frequencies of the generators with fixed seeds, so that every run has the same result.

#include "tools/bench/zipf.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/numeric/bits.h"
#include "gtest/gtest.h"

#include "tools/bench/permutation.h"
#include "tools/bench/random.h"

namespace rumcask::bench {
namespace {

// The sum of (observed - expected)^2 / expected over all cells.
double ChiSquare(const std::vector<uint64_t>& observed, const std::vector<double>& expected) {
  double sum = 0;
  for (size_t i = 0; i < observed.size(); ++i) {
    const double difference = static_cast<double>(observed[i]) - expected[i];
    sum += difference * difference / expected[i];
  }
  return sum;
}

// The limit that chi-square with `freedom` degrees of freedom exceeds once in 10,000 times, by
// Wilson and Hilferty.
double Limit(size_t freedom) {
  constexpr double kNormal = 3.719;
  const double part = 2.0 / (9.0 * static_cast<double>(freedom));
  return static_cast<double>(freedom) * std::pow(1 - part + kNormal * std::sqrt(part), 3);
}

TEST(RandomTest, IsUniform) {
  constexpr size_t kCells = 1000;
  constexpr uint64_t kDraws = 1000000;
  Random random(11);
  std::vector<uint64_t> observed(kCells);
  for (uint64_t i = 0; i < kDraws; ++i) ++observed[random.Below(kCells)];
  EXPECT_LT(ChiSquare(observed, std::vector<double>(kCells, double{kDraws} / kCells)),
            Limit(kCells - 1));
  for (int i = 0; i < 1000; ++i) {
    const double unit = random.NextDouble();
    ASSERT_GE(unit, 0);
    ASSERT_LT(unit, 1);
  }
  EXPECT_EQ(random.Below(0), 0);
  EXPECT_EQ(random.Below(1), 0);
}

// The published sequence of SplitMix64 for the seed 1234567.
TEST(RandomTest, KnownAnswers) {
  Random random(1234567);
  for (const uint64_t expected : {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                  4593380528125082431u, 16408922859458223821u}) {
    EXPECT_EQ(random.Next(), expected);
  }
}

TEST(PermutationTest, EachNumberOnce) {
  for (const uint64_t size : {1, 2, 3, 7, 8, 1000, 65536, 100003}) {
    const Permutation permutation(size, 42);
    std::vector<bool> seen(size);
    for (uint64_t i = 0; i < size; ++i) {
      const uint64_t number = permutation(i);
      ASSERT_LT(number, size);
      ASSERT_FALSE(seen[number]) << number << " of " << size;
      seen[number] = true;
    }
  }
}

TEST(PermutationTest, LooksRandom) {
  constexpr uint64_t kSize = 100000;
  const Permutation permutation(kSize, 42);
  const Permutation other(kSize, 43);
  uint64_t neighbours = 0;
  uint64_t equal = 0;
  for (uint64_t i = 0; i + 1 < kSize; ++i) {
    if (permutation(i) + 1 == permutation(i + 1)) ++neighbours;
    if (permutation(i) == other(i)) ++equal;
  }
  // One is to be expected.
  EXPECT_LT(neighbours, 10);
  EXPECT_LT(equal, 10);
}

TEST(ZetaTest, EqualsTheSum) {
  for (const double theta : {0.5, 0.9, 0.99}) {
    double sum = 0;
    for (uint64_t i = 1; i <= 200000; ++i) {
      sum += std::pow(static_cast<double>(i), -theta);
      if (i == 1 || i == 999 || i == 1000 || i == 1001 || i == 200000) {
        EXPECT_NEAR(Zeta(i, theta), sum, 1e-9 * sum) << i << " " << theta;
      }
    }
  }
  // The constant in YCSB's ScrambledZipfianGenerator.
  EXPECT_NEAR(Zeta(10000000000, 0.99), 26.46902820178302, 1e-9);
}

// Gray's method is exact for the first two ranks. For the others it inverts the integral, so that
// rank r or less has the probability that solves r + 1 = n (eta u - eta + 1)^alpha.
std::vector<double> GrayShares(uint64_t items, double theta) {
  const double zeta = Zeta(items, theta);
  const double second = std::pow(0.5, theta);
  const auto n = static_cast<double>(items);
  const double eta = (1 - std::pow(2 / n, 1 - theta)) / (1 - (1 + second) / zeta);
  std::vector<double> shares = {1 / zeta, second / zeta};
  double before = (1 + second) / zeta;
  for (uint64_t rank = 2; rank < items; ++rank) {
    const double up_to = (std::pow(static_cast<double>(rank + 1) / n, 1 - theta) - 1 + eta) / eta;
    shares.push_back(std::max(up_to - before, 1e-12));
    before = std::max(before, up_to);
  }
  return shares;
}

TEST(ZipfTest, FrequenciesAreGrays) {
  constexpr uint64_t kItems = 1000;
  constexpr uint64_t kDraws = 2000000;
  const Zipf zipf(kItems, Zipf::kTheta);
  Random random(5);
  std::vector<uint64_t> observed(kItems);
  for (uint64_t i = 0; i < kDraws; ++i) ++observed[zipf.Next(&random)];
  std::vector<double> expected = GrayShares(kItems, Zipf::kTheta);
  for (double& share : expected) share *= kDraws;
  EXPECT_LT(ChiSquare(observed, expected), Limit(kItems - 1));
}

// Tests how far that is from the distribution itself.
TEST(ZipfTest, FrequenciesAreNearlyZipfs) {
  constexpr uint64_t kItems = 1000000;
  constexpr uint64_t kDraws = 4000000;
  const Zipf zipf(kItems, Zipf::kTheta);
  Random random(6);
  // The cells are ranks 0, 1, 2-3, 4-7, and so on.
  std::vector<uint64_t> observed(21);
  for (uint64_t i = 0; i < kDraws; ++i) {
    const uint64_t rank = zipf.Next(&random);
    ASSERT_LT(rank, kItems);
    ++observed[static_cast<size_t>(absl::bit_width(rank))];
  }
  const double zeta = Zeta(kItems, Zipf::kTheta);
  for (size_t bits = 0; bits < observed.size(); ++bits) {
    const uint64_t begin = bits == 0 ? 0 : uint64_t{1} << (bits - 1);
    const uint64_t end = std::min(bits == 0 ? 1 : uint64_t{1} << bits, kItems);
    const double share = (Zeta(end, Zipf::kTheta) - Zeta(begin, Zipf::kTheta)) / zeta;
    // Ranks 2 and 3 get a sixth too much, and the error of later ranks becomes smaller and smaller.
    const double tolerance = bits < 2 ? 0.01 : 0.2;
    EXPECT_NEAR(static_cast<double>(observed[bits]) / kDraws / share, 1, tolerance)
        << "ranks " << begin << " to " << end;
  }
}

TEST(ZipfTest, GrowingIsStartingLarger) {
  Zipf grown(100, Zipf::kTheta);
  for (int i = 0; i < 900; ++i) grown.Grow();
  const Zipf large(1000, Zipf::kTheta);
  Random one(9);
  Random other(9);
  for (int i = 0; i < 10000; ++i) ASSERT_EQ(grown.Next(&one), large.Next(&other));
}

TEST(ZipfTest, FewItems) {
  for (const uint64_t items : {1, 2, 3}) {
    const Zipf zipf(items, Zipf::kTheta);
    Random random(2);
    std::vector<uint64_t> observed(items);
    for (int i = 0; i < 10000; ++i) ++observed.at(zipf.Next(&random));
    for (uint64_t i = 1; i < items; ++i) EXPECT_GT(observed[i - 1], observed[i]) << items;
  }
}

TEST(ScrambledZipfTest, PopularKeysAreScatteredAndStayPopular) {
  constexpr uint64_t kDraws = 1000000;
  constexpr uint64_t kItems = 100000;
  const ScrambledZipf zipf(kItems, Zipf::kTheta);
  Random random(8);
  std::vector<uint64_t> observed(kItems);
  for (uint64_t i = 0; i < kDraws; ++i) ++observed.at(zipf.Next(&random));
  const auto most = std::max_element(observed.begin(), observed.end());
  // The first of 10^10 ranks.
  EXPECT_NEAR(static_cast<double>(*most) / kDraws, 1 / 26.469, 0.001);
  EXPECT_EQ(static_cast<uint64_t>(most - observed.begin()), Scatter(1) % kItems);
  // Both halves of the numbers are about equally popular, apart from the most popular key.
  uint64_t lower = 0;
  for (uint64_t i = 0; i < kItems / 2; ++i) lower += observed[i];
  EXPECT_NEAR(static_cast<double>(lower) / kDraws, 0.5, 0.1);
}

}  // namespace
}  // namespace rumcask::bench
