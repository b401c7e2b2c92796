// Eight threads use one database with every kind of call, and calls that take effect one after the
// other must explain what they saw, key by key; see linearizability_checker.h. This file uses the
// simplest keystore, which shows that core is right, and keystores that are sometimes wrong, which
// shows that the test finds errors. keystores_linearizability_test.cc uses the real ones.

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
