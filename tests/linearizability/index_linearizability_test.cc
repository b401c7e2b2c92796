// Linearizability with an index on disk behind small buffers, which keys leave all the time; see
// linearizability_test.cc. For data races:
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

KeystoreFactory OnDisk(bool looks_cheaply) {
  KeystoreFactory factory = AdversarialDisk::Make()->Keystore("adversarial", looks_cheaply);
  factory.buffer_bytes = 2048;
  return factory;
}

TEST_F(IndexLinearizabilityTest, IndexThatTellsWhatItReplaces) {
  RunRounds(OnDisk(/*looks_cheaply=*/true), 150000);
}

TEST_F(IndexLinearizabilityTest, IndexThatDoesNot) {
  RunRounds(OnDisk(/*looks_cheaply=*/false), 150000);
}

}  // namespace
}  // namespace rumcask
