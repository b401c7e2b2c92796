#include "tools/advise/slices.h"

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"

namespace rumcask::advise {
namespace {

// Steps that take the time of clocks that nothing else moves.
class SlicesTest : public testing::Test {
 protected:
  absl::StatusOr<double> Run(const Phase& phase) {
    const Clocks clocks = {[this] { return wall_; }, [this] { return processor_; }};
    return SecondsOfStep(phase, clocks, [this] {
      ++steps_;
      wall_ += step_seconds_;
      processor_ += steps_ % 1000 == disturbed_ ? 1000 : 0.5;
      return steps_ == fails_ ? absl::InternalError("failed") : absl::OkStatus();
    });
  }

  double step_seconds_ = 1;
  uint64_t disturbed_ = UINT64_MAX;
  uint64_t fails_ = 0;
  double wall_ = 0;
  double processor_ = 0;
  uint64_t steps_ = 0;
};

TEST_F(SlicesTest, EndsAfterItsSteps) {
  EXPECT_EQ(Run({1000, 1e9, 64}).value(), 0.5);
  EXPECT_EQ(steps_, 1000);
  EXPECT_EQ(Run({1, 1e9, 64}).value(), 0.5);
  EXPECT_EQ(steps_, 1001);
}

TEST_F(SlicesTest, EndsWhenItsTimeIsOverInTheMidstOfASlice) {
  EXPECT_EQ(Run({20000000, 100, 1}).value(), 0.5);
  EXPECT_LE(steps_, 100);
  steps_ = 0;
  EXPECT_EQ(Run({20000000, 100, 64}).value(), 0.5);
  EXPECT_LE(steps_, 100 + 64);
}

TEST_F(SlicesTest, DoesSomethingWithoutTime) {
  EXPECT_EQ(Run({20000, 0, 1}).value(), 0.5);
  EXPECT_EQ(steps_, 1);
}

TEST_F(SlicesTest, WhatDisturbsOneSliceDoesNotCount) {
  disturbed_ = 77;
  EXPECT_EQ(Run({900, 1e9, 64}).value(), 0.5);
  // Nor if slices end by time.
  steps_ = 0;
  EXPECT_EQ(Run({20000000, 900, 1}).value(), 0.5);
}

TEST_F(SlicesTest, EndsWithAnError) {
  fails_ = 5;
  EXPECT_EQ(Run({1000, 1e9, 64}).status(), absl::InternalError("failed"));
  EXPECT_EQ(steps_, 5);
}

}  // namespace
}  // namespace rumcask::advise
