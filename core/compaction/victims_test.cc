#include "core/compaction/victims.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace rumcask {
namespace {

std::vector<uint64_t> Ordered(std::vector<VictimFigures> candidates) {
  OrderVictims(&candidates);
  std::vector<uint64_t> ids;
  for (const VictimFigures& figures : candidates) ids.push_back(figures.id);
  return ids;
}

TEST(VictimsTest, WhatHasNothingLiveComesFirst) {
  EXPECT_EQ(Ordered({{1, 1000, 10, 1000000}, {2, 1000, 0, 0}, {3, 1000, 500, 1000000}}),
            (std::vector<uint64_t>{2, 1, 3}));
}

TEST(VictimsTest, WhereAllIsLiveNothingIsGained) {
  EXPECT_EQ(Ordered({{1, 1000, 1000, 5}, {2, 0, 0, 5}, {3, 1000, 1200, 5}, {4, 1000, 999, 5}}),
            (std::vector<uint64_t>{4}));
}

TEST(VictimsTest, OfTheSameAgeTheDeaderOne) {
  EXPECT_EQ(Ordered({{1, 1000, 900, 100}, {2, 1000, 100, 100}, {3, 1000, 500, 100}}),
            (std::vector<uint64_t>{2, 3, 1}));
}

TEST(VictimsTest, OfTheSameDeadShareTheOlderOne) {
  EXPECT_EQ(Ordered({{1, 1000, 500, 10}, {2, 1000, 500, 1000}, {3, 1000, 500, 100}}),
            (std::vector<uint64_t>{2, 3, 1}));
}

// A young segment that dies fast is left until more of it is dead: age * E^2 / u is 10 * 0.45 for
// the first and 100 * 0.0625 / 0.75 for the second.
TEST(VictimsTest, AgeOutweighsDeadShare) {
  EXPECT_EQ(Ordered({{1, 1000, 500, 8}, {2, 1000, 750, 99}}), (std::vector<uint64_t>{2, 1}));
  EXPECT_DOUBLE_EQ(CompactionScore({2, 1000, 750, 99}), 100 * 0.0625 / 0.75);
}

}  // namespace
}  // namespace rumcask
