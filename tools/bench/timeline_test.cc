#include "tools/bench/timeline.h"

#include <cstddef>
#include <optional>

#include "gtest/gtest.h"

namespace rumcask::bench {
namespace {

TEST(TimelineTest, KeepsWhatItIsGiven) {
  Timeline timeline;
  timeline.Add(0.2, 100);
  timeline.Add(0.4, 300);
  timeline.End(0, 0.5, 350);
  ASSERT_EQ(timeline.points().size(), 3);
  EXPECT_EQ(timeline.points()[1].seconds, 0.4);
  EXPECT_EQ(timeline.points()[1].operations, 300);
  EXPECT_EQ(timeline.points()[2].operations, 350);
}

// A benchmark may fill a store before it begins, and clear it away when it has ended.
TEST(TimelineTest, LeavesOutWhatIsNotOfTheBenchmark) {
  Timeline timeline;
  for (int i = 1; i <= 10; ++i) {
    timeline.Add(i, i <= 4 ? 0 : i >= 8 ? 40 : 10 * (static_cast<uint64_t>(i) - 4));
  }
  timeline.End(4, 8, 40);
  ASSERT_EQ(timeline.points().size(), 4);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(timeline.points()[i].seconds, static_cast<double>(i + 1));
    EXPECT_EQ(timeline.points()[i].operations, 10 * (i + 1));
  }
}

TEST(TimelineTest, ALongRunHasNoMorePointsThanAShortOne) {
  Timeline timeline;
  constexpr int kSamples = 100000;
  for (int i = 1; i <= kSamples; ++i) timeline.Add(i, static_cast<uint64_t>(10 * i));
  timeline.End(0, kSamples + 1, 10 * kSamples);
  const size_t count = timeline.points().size();
  EXPECT_LE(count, Timeline::kMost);
  EXPECT_GE(count, Timeline::kMost / 4);
  // Evenly spread, but for the end.
  const double distance = timeline.points()[1].seconds - timeline.points()[0].seconds;
  for (size_t i = 1; i + 1 < count; ++i) {
    EXPECT_EQ(timeline.points()[i].seconds - timeline.points()[i - 1].seconds, distance) << i;
    EXPECT_EQ(static_cast<double>(timeline.points()[i].operations),
              10 * timeline.points()[i].seconds);
  }
  EXPECT_EQ(timeline.points().back().seconds, kSamples + 1);
}

// 100 operations a second for as long as `fast`, then `rate`.
Timeline Changing(double rate, double fast, double end) {
  Timeline timeline;
  double operations = 0;
  for (double at = 0.25; at <= end; at += 0.125) {
    operations += 0.125 * (at <= fast ? 100 : rate);
    timeline.Add(at, static_cast<uint64_t>(operations));
  }
  return timeline;
}

TEST(TimelineTest, TellsWhetherTheSpeedStillChanged) {
  EXPECT_NEAR(*Changing(100, 0, 8).LastChange(), 0, 0.01);
  EXPECT_NEAR(*Changing(80, 6, 8).LastChange(), -0.2, 0.01);
  EXPECT_NEAR(*Changing(200, 6, 8).LastChange(), 1, 0.01);
  // It was slower at first, and then steady.
  EXPECT_NEAR(*Changing(20, 4, 8).LastChange(), 0, 0.01);
}

TEST(TimelineTest, DoesNotTellWhereItCannot) {
  EXPECT_EQ(Timeline().LastChange(), std::nullopt);
  EXPECT_EQ(Changing(100, 0, 2).LastChange(), std::nullopt);
}

TEST(TimelineTest, StandingStillIsNotSteady) {
  Timeline timeline = Changing(0, 4, 6);
  timeline.Add(6.5, 425);
  timeline.Add(8, 600);
  EXPECT_EQ(*timeline.LastChange(), 1);
  EXPECT_EQ(*Changing(0, 1, 8).LastChange(), -1);
}

TEST(TimelineTest, IsTheSameFromItsPoints) {
  const Timeline timeline = Changing(80, 6, 8);
  const Timeline copy = Timeline::FromPoints(timeline.points());
  EXPECT_EQ(copy.points().size(), timeline.points().size());
  EXPECT_EQ(copy.LastChange(), timeline.LastChange());
}

}  // namespace
}  // namespace rumcask::bench
