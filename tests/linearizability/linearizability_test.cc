// Eight threads use one database with every kind of call, and what they saw must be explained by
// calls that take effect one after the other, key by key; see linearizability_checker.h. Here with
// the simplest keystore, which shows that core is right, and with keystores that are wrong now and
// then, which shows that the test is; keystores_linearizability_test.cc has the real one.

#include "gtest/gtest.h"

#include "core/testing/map_keystore.h"
#include "tests/linearizability/linearizability_fixture.h"

namespace rumcask {
namespace {

using LinearizabilityTest = LinearizabilityFixture;

TEST_F(LinearizabilityTest, EveryHistoryIsLinearizable) { RunRounds(TestKeystore(), 100000); }

TEST_F(LinearizabilityTest, StaleReadsAreFoundOut) {
  EXPECT_TRUE(IsFoundOut(TestKeystore(), Distortion::kStaleGet));
}

TEST_F(LinearizabilityTest, ForgottenWritesAreFoundOut) {
  EXPECT_TRUE(IsFoundOut(TestKeystore(), Distortion::kDroppedApply));
}

TEST_F(LinearizabilityTest, WritesThatAreSeenLateAreFoundOut) {
  EXPECT_TRUE(IsFoundOut(TestKeystore(), Distortion::kLateApply));
}

}  // namespace
}  // namespace rumcask
