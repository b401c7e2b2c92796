// What follows from trials whose figures are given.

#include "gtest/gtest.h"

#include "tools/advise/model.h"

namespace rumcask::advise {
namespace {

TEST(LineTest, GoesThroughBothMeasurements) {
  const Line line = LineThrough(10, 150, 20, 250);
  EXPECT_EQ(line.At(10), 150);
  EXPECT_EQ(line.At(20), 250);
  EXPECT_EQ(line.At(100), 1050);
}

TEST(LineTest, NeverFalls) {
  EXPECT_EQ(LineThrough(10, 300, 20, 250).At(100), 250);
  // Nothing fixed is less than nothing.
  EXPECT_EQ(LineThrough(10, 100, 20, 250).At(40), 500);
}

TEST(LineTest, OneNumberOfKeysSaysThatAllOfItGrows) {
  EXPECT_EQ(LineThrough(10, 240, 10, 250).At(1000), 25000);
}

}  // namespace
}  // namespace rumcask::advise
