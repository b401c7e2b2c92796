#include "core/format/fuse_filter.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace rumcask {
namespace {

std::string Build(size_t first, size_t count, size_t times = 1) {
  FuseFilterBuilder builder;
  for (size_t round = 0; round < times; ++round) {
    for (size_t i = 0; i < count; ++i) builder.Add(std::to_string(first + i));
  }
  return builder.Finish();
}

FuseFilter Parsed(const std::string& bytes) {
  std::optional<FuseFilter> filter = FuseFilter::Parse(bytes);
  EXPECT_TRUE(filter.has_value());
  return *filter;
}

TEST(FuseFilterTest, NoKeyIsMissed) {
  for (const size_t count : {1, 2, 3, 4, 5, 7, 10, 50, 100, 1000, 4096, 30000, 300000}) {
    SCOPED_TRACE(count);
    const std::string bytes = Build(0, count);
    const FuseFilter filter = Parsed(bytes);
    for (size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(filter.MayContain(FuseFilterHash(std::to_string(i)))) << i;
    }
  }
  for (size_t first = 0; first < 3000; ++first) {
    const size_t count = 1 + first % 40;
    const std::string bytes = Build(first, count);
    const FuseFilter filter = Parsed(bytes);
    for (size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(filter.MayContain(FuseFilterHash(std::to_string(first + i)))) << first;
    }
  }
}

TEST(FuseFilterTest, FewOthersAreTakenForOne) {
  const std::string bytes = Build(0, 100000);
  const FuseFilter filter = Parsed(bytes);
  size_t wrong = 0;
  constexpr size_t kAsked = 10000000;
  // The hash is all that counts, so that keys need not be made.
  std::mt19937_64 random(1);
  for (size_t i = 0; i < kAsked; ++i) wrong += filter.MayContain(random());
  // 153 are to be expected.
  EXPECT_GT(wrong, 90u);
  EXPECT_LT(wrong, 230u);
}

TEST(FuseFilterTest, AKeyTakesEighteenBits) {
  EXPECT_LE(Build(0, 400000).size() * 8, 400000 * 18.5);
  EXPECT_LE(Build(0, 1).size(), 64u);
}

TEST(FuseFilterTest, OrderAndRepetitionDoNotCount) {
  const std::string bytes = Build(0, 500);
  EXPECT_EQ(Build(0, 500, 3), bytes);
  FuseFilterBuilder backwards;
  for (int i = 499; i >= 0; --i) backwards.Add(std::to_string(i));
  EXPECT_EQ(backwards.Finish(), bytes);
  EXPECT_EQ(backwards.Finish(), "");
}

// The format must not drift.
TEST(FuseFilterTest, TheBytesAreThese) {
  const std::string bytes = Build(0, 1000);
  EXPECT_EQ(bytes.size(), 2832u);
  EXPECT_EQ(XXH3_64bits(bytes.data(), bytes.size()), 11545092976850474485u);
}

TEST(FuseFilterTest, WithTooManyKeysThereIsNone) {
  FuseFilterBuilder builder;
  for (size_t i = 0; i <= kMostFilterKeys; ++i) builder.Add("a");
  EXPECT_EQ(builder.Finish(), "");
  builder.Add("a");
  EXPECT_NE(builder.Finish(), "");
}

TEST(FuseFilterTest, WhatIsNoneIsRefused) {
  const std::string bytes = Build(0, 100);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(FuseFilter::Parse(bytes.substr(0, size)).has_value());
  }
  EXPECT_FALSE(FuseFilter::Parse(bytes + '\0').has_value());
  for (size_t bit = 8 * 8; bit < 16 * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(FuseFilter::Parse(damaged).has_value()) << bit;
  }
  // A length that only fits if sums wrap.
  std::string wrapping(16, '\0');
  StoreU32(wrapping.data() + 8, 1u << 18);
  StoreU32(wrapping.data() + 12, 0xfffffffe);
  EXPECT_FALSE(FuseFilter::Parse(wrapping).has_value());
}

TEST(FuseFilterTest, AnyFingerprintsGiveSomeAnswer) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::string honest = Build(0, 1 + random() % 300);
    // The exact size, so that a read beyond it is noticed.
    std::vector<char> bytes(honest.begin(), honest.end());
    for (size_t at = 0; at < bytes.size(); ++at) {
      if (at < 8 || at >= 16) bytes[at] = static_cast<char>(random());
    }
    const std::optional<FuseFilter> filter = FuseFilter::Parse({bytes.data(), bytes.size()});
    ASSERT_TRUE(filter.has_value());
    int held = 0;
    for (int key = 0; key < 1000; ++key) held += filter->MayContain(random());
    EXPECT_LT(held, 20);
  }
}

}  // namespace
}  // namespace rumcask
