// Linearizability with the hash keystore, whose readers meet writers in locks of its own; see
// linearizability_test.cc. Half a million calls:
//
//   bazel test --config=tsan //tests/linearizability:hash_linearizability_test
//
// In the full form five million: add
//
//   --test_env=RUMCASK_LINEARIZABILITY_CALLS=5000000 --test_timeout=7200

#include "gtest/gtest.h"

#include "keystores/hash/hash_keystore.h"
#include "tests/linearizability/linearizability_fixture.h"

namespace rumcask {
namespace {

using HashLinearizabilityTest = LinearizabilityFixture;

TEST_F(HashLinearizabilityTest, EveryHistoryIsLinearizable) { RunRounds(HashKeystore(), 500000); }

}  // namespace
}  // namespace rumcask
