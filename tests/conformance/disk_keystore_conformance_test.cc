// Tests what core puts in front of an index on disk against the contract of all keystores. Only
// Load is different: BufferedIndex gets the log in order and from one thread.

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "tests/conformance/keystore_conformance.h"
#include "tests/conformance/tested_keystore.h"
#include "tests/conformance/whole_disk_keystore.h"
#include "tests/crash_kit/adversarial_index.h"

namespace rumcask {
namespace {

KeystoreFactory Whole(bool reports_replaced, bool background) {
  return WholeDiskKeystore(AdversarialDisk::Make()->Keystore("disk", reports_replaced), background);
}

KeystoreUnderTest Tested(bool reports_replaced, bool background) {
  KeystoreUnderTest tested(Whole(reports_replaced, background));
  // Most of the memory belongs to the index.
  tested.counts_memory = false;
  return tested;
}

INSTANTIATE_KEYSTORE_CONFORMANCE(Looking, Tested(true, false));
INSTANTIATE_KEYSTORE_CONFORMANCE(Blind, Tested(false, false));
INSTANTIATE_KEYSTORE_CONFORMANCE(InTheBackground, Tested(true, true));

// A record is moved wherever its key is: in the active buffer, in a frozen one, in the index, or in
// several of them. Afterwards the record is still found, also by snapshots from before.
TEST(BufferedIndexTest, RecordsAreMovedWhereverTheirKeysAre) {
  TestedKeystore tested(Whole(true, false));
  std::vector<std::string> keys;
  for (int i = 0; i < 200; ++i) keys.push_back(absl::StrCat("key", 1000 + i));
  for (const std::string& key : keys) ASSERT_EQ(tested.Put(key), "");
  const TestedKeystore::Held before = tested.Take();
  for (int round = 0; round < 3; ++round) {
    for (const std::string& key : keys) ASSERT_EQ(tested.Relocate(key), "");
    ASSERT_EQ(tested.CompareNow(), "");
    for (size_t i = 0; i < keys.size(); i += 3) ASSERT_EQ(tested.Put(keys[i]), "");
    ASSERT_EQ(tested.CompareGetAt(before, keys), "");
    ASSERT_EQ(tested.CompareWalk(before), "");
  }
}

}  // namespace
}  // namespace rumcask
