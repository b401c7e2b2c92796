// Linearizability with an index on disk behind small buffers, which are applied to it all the time;
// see linearizability_test.cc. To find data races:
//
//   bazel test --config=tsan //tests/linearizability:index_linearizability_test
//
// RUMCASK_LINEARIZABILITY_CALLS=n replaces the number of calls.

#include "gtest/gtest.h"

#include "tests/crash_kit/adversarial_index.h"
#include "tests/linearizability/linearizability_fixture.h"

namespace rumcask {
namespace {

using IndexLinearizabilityTest = LinearizabilityFixture;

KeystoreFactory OnDisk(bool reports_replaced) {
  KeystoreFactory factory = AdversarialDisk::Make()->Keystore("adversarial", reports_replaced);
  factory.buffer_bytes = 2048;
  return factory;
}

TEST_F(IndexLinearizabilityTest, IndexThatTellsWhatItReplaces) {
  RunRounds(OnDisk(/*reports_replaced=*/true), 150000);
}

TEST_F(IndexLinearizabilityTest, IndexThatDoesNot) {
  RunRounds(OnDisk(/*reports_replaced=*/false), 150000);
}

}  // namespace
}  // namespace rumcask
