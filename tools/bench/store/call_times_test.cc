#include "tools/bench/store/call_times.h"

#include <cstdint>

#include "gtest/gtest.h"

#include "tools/bench/fake_engine.h"

namespace rumcask::bench {
namespace {

class CallTimesTest : public testing::Test {
 protected:
  // A call of this thread that takes `own` and in addition waits for a processor.
  void Call(uint64_t own, uint64_t waits = 0) {
    EXPECT_EQ(times_.Time([&] {
      clock_.Advance(own + waits);
      waits_ += waits;
      return own;
    }),
              own);
  }

  ManualClock clock_;
  uint64_t waits_ = 1000;
  uint64_t reads_ = 0;
  CallTimes times_{&clock_, [this] {
                     ++reads_;
                     return waits_;
                   }};
};

TEST_F(CallTimesTest, WaitsForAProcessorAreNotTheCalls) {
  Call(500, 4000000);
  Call(3000000);
  Call(2000000, 7000000);
  Call(700);
  EXPECT_EQ(times_.calls(), 4);
  EXPECT_EQ(times_.elapsed().min(), 700);
  EXPECT_EQ(times_.elapsed().max(), 9000000);
  EXPECT_EQ(times_.elapsed_stalls(), 3);
  EXPECT_EQ(times_.own().min(), 500);
  EXPECT_EQ(times_.own().max(), 3000000);
  EXPECT_EQ(times_.own_stalls(), 2);
}

TEST_F(CallTimesTest, AStallIsLongerThanItsBound) {
  Call(CallTimes::kStall);
  EXPECT_EQ(times_.own_stalls(), 0);
  Call(CallTimes::kStall + 1);
  EXPECT_EQ(times_.own_stalls(), 1);
}

TEST_F(CallTimesTest, FastCallsAreNotAsked) {
  for (uint64_t i = 0; i < 3 * CallTimes::kLook; ++i) Call(CallTimes::kSlow);
  EXPECT_EQ(reads_, 3);
  Call(CallTimes::kSlow + 1);
  EXPECT_EQ(reads_, 5);
}

// Waits of long ago are no excuse.
TEST_F(CallTimesTest, OldWaitsDoNotCount) {
  waits_ += 5000000;
  Call(2000000);
  EXPECT_EQ(times_.own_stalls(), 1);
  // Between two calls, and noticed when they are next looked at.
  waits_ += 5000000;
  for (uint64_t i = 1; i < CallTimes::kLook; ++i) Call(10);
  Call(2000000);
  EXPECT_EQ(times_.own_stalls(), 2);
}

TEST(ProcessorWaitsTest, OnlyGrow) {
  const ProcessorWaits waits;
  const uint64_t first = waits.Read();
  EXPECT_GE(waits.Read(), first);
}

}  // namespace
}  // namespace rumcask::bench
