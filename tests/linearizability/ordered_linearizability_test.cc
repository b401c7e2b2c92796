// Linearizability with the ordered keystores: the B-tree, and an index on disk behind small
// buffers, which keys leave all the time; see linearizability_test.cc. For data races:
//
//   bazel test --config=tsan //tests/linearizability:ordered_linearizability_test
//
// RUMCASK_LINEARIZABILITY_CALLS=n replaces the number of calls.

#include "gtest/gtest.h"

#include "keystores/btree/btree_keystore.h"
#include "tests/crash_kit/adversarial_index.h"
#include "tests/linearizability/linearizability_fixture.h"

namespace rumcask {
namespace {

using OrderedLinearizabilityTest = LinearizabilityFixture;

KeystoreFactory OnDisk(bool looks_cheaply) {
  KeystoreFactory factory = AdversarialDisk::Make()->Keystore("adversarial", looks_cheaply);
  factory.buffer_bytes = 2048;
  return factory;
}

TEST_F(OrderedLinearizabilityTest, Btree) { RunRounds(BtreeKeystore(), 150000); }

TEST_F(OrderedLinearizabilityTest, IndexThatTellsWhatItReplaces) {
  RunRounds(OnDisk(/*looks_cheaply=*/true), 150000);
}

TEST_F(OrderedLinearizabilityTest, IndexThatDoesNot) {
  RunRounds(OnDisk(/*looks_cheaply=*/false), 150000);
}

}  // namespace
}  // namespace rumcask
