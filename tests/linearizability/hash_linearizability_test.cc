// Linearizability with the hash keystore, whose readers meet writers in locks of its own; see
// linearizability_test.cc. Half a million calls, or in the full form five million:
//
//   bazel test --config=tsan //tests/linearizability:hash_linearizability_test
//   bazel test --config=tsan --test_env=RUMCASK_LINEARIZABILITY_CALLS=5000000 --test_timeout=7200 \
//     --nocache_test_results //tests/linearizability:hash_linearizability_test

#include "gtest/gtest.h"

#include "keystores/hash/hash_keystore.h"
#include "tests/linearizability/linearizability_fixture.h"

namespace rumcask {
namespace {

using HashLinearizabilityTest = LinearizabilityFixture;

TEST_F(HashLinearizabilityTest, EveryHistoryIsLinearizable) { RunRounds(HashKeystore(), 500000); }

}  // namespace
}  // namespace rumcask
