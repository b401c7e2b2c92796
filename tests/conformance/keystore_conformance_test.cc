// The keystores of this project against the contract.

#include "tests/conformance/keystore_conformance.h"

#include "gtest/gtest.h"

#include "core/map_keystore.h"
#include "keystores/btree/btree_keystore.h"
#include "keystores/hash/hash_keystore.h"

namespace rumcask {
namespace {

// core's own tests rely on it.
KeystoreUnderTest Map() {
  KeystoreUnderTest tested(TestKeystore());
  tested.bounds_undo = false;
  tested.counts_memory = false;
  return tested;
}

INSTANTIATE_TEST_SUITE_P(Map, KeystoreConformance, testing::Values(Map()));
INSTANTIATE_TEST_SUITE_P(Hash, KeystoreConformance,
                         testing::Values(KeystoreUnderTest(HashKeystore())));
INSTANTIATE_TEST_SUITE_P(Btree, KeystoreConformance,
                         testing::Values(KeystoreUnderTest(BtreeKeystore())));

}  // namespace
}  // namespace rumcask
