#include "core/log/space.h"

#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace rumcask {
namespace {

class SpaceTest : public testing::Test {
 protected:
  SpaceTest() {
    for (uint32_t slot = 0; slot < 2; ++slot) {
      table_.Add(std::make_shared<Segment>(slot + 7, slot, Stream::kUser, /*seed=*/0));
      table_.Get(slot)->set_end(kSegmentHeaderBytes + 1000 * (slot + 1));
    }
  }
  static Location At(uint32_t slot, uint64_t bytes) {
    return Location::Make(slot, kSegmentHeaderBytes, bytes);
  }
  uint64_t Live(uint32_t slot) const { return Space::LiveBytes(*table_.Get(slot)); }

  SegmentTable table_;
  Space space_{&table_};
};

TEST_F(SpaceTest, WhatIsCreditedIsLiveUntilItIsDebited) {
  space_.Credit(At(0, 64), 64);
  space_.Credit(At(1, 128), 128);
  space_.Credit(At(1, 32), 32);
  EXPECT_EQ(Live(0), 64u);
  EXPECT_EQ(Live(1), 160u);
  space_.Debit(At(1, 128));
  EXPECT_EQ(Live(0), 64u);
  EXPECT_EQ(Live(1), 32u);
  space_.Debit(/*slot=*/1, /*bytes=*/32);
  EXPECT_EQ(Live(1), 0u);
}

TEST_F(SpaceTest, AKeyThatWasNotThereTakesNothingAway) {
  space_.Credit(At(0, 64), 64);
  space_.Debit(Location());
  EXPECT_EQ(Live(0), 64u);
  EXPECT_EQ(Live(1), 0u);
}

TEST_F(SpaceTest, OpeningCountsOnManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kRecords = 20000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this] {
      for (int j = 0; j < kRecords; ++j) {
        Space::CreditFound(table_.Get(0), 48);
        if (j % 2 == 0) space_.DebitFound(At(0, 48));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Live(0), uint64_t{kThreads} * kRecords / 2 * 48);
}

TEST_F(SpaceTest, WithoutAnExactCountEveryRecordIsLive) {
  EXPECT_TRUE(space_.exact());
  Space::Set(table_.Get(0), 5);
  EXPECT_EQ(Live(0), 5u);
  space_.SetToBound({});
  EXPECT_FALSE(space_.exact());
  EXPECT_FALSE(space_.counted());
  EXPECT_EQ(Live(0), 1000u);
  EXPECT_EQ(Live(1), 2000u);
  EXPECT_EQ(space_.assumed(), 0u);
}

TEST_F(SpaceTest, WhatWasWrittenSinceTheLastCountIsAssumedToHaveReplacedAsMuch) {
  space_.SetToBound({{table_.Get(0)->id(), 300}, {12345, 1}});
  EXPECT_FALSE(space_.exact());
  EXPECT_TRUE(space_.counted());
  EXPECT_EQ(Live(0), 300u);
  EXPECT_EQ(Live(1), 2000u);
  EXPECT_EQ(space_.assumed(), 2000u);
  EXPECT_EQ(space_.died(), 2000u);
  // No more is live than is there, whatever was noted.
  space_.SetToBound({{table_.Get(0)->id(), 1001}, {table_.Get(1)->id(), 0}});
  EXPECT_EQ(Live(0), 1000u);
  EXPECT_EQ(Live(1), 0u);
}

}  // namespace
}  // namespace rumcask
