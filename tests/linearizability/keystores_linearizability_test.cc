// Linearizability with the keystores in memory, whose readers and writers contend for the
// keystore's own locks; see linearizability_test.cc. Half a million calls with the default
// keystore, 150,000 with each other one:
//
//   bazel test --config=tsan //tests/linearizability:keystores_linearizability_test
//
// For the full form with five million calls each, add
//
//   --test_env=RUMCASK_LINEARIZABILITY_CALLS=5000000 --test_timeout=7200

#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "keystores/by_name.h"
#include "tests/linearizability/linearizability_fixture.h"
#include "tests/workloads/keystores.h"

namespace rumcask {
namespace {

class KeystoresLinearizabilityTest : public LinearizabilityFixture,
                                     public testing::WithParamInterface<std::string> {};

INSTANTIATE_TEST_SUITE_P(Keystores, KeystoresLinearizabilityTest,
                         testing::ValuesIn(NamesInMemory()),
                         [](const auto& param) { return param.param; });

TEST_P(KeystoresLinearizabilityTest, EveryHistoryIsLinearizable) {
  const bool is_default = GetParam() == KeystoreNames().front();
  RunRounds(KeystoreByName(GetParam()).value(), is_default ? 500000 : 150000);
}

}  // namespace
}  // namespace rumcask
