// The keystores of this project against the contract.

#include "tests/conformance/keystore_conformance.h"

#include "gtest/gtest.h"

#include "core/testing/map_keystore.h"
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

INSTANTIATE_KEYSTORE_CONFORMANCE(Map, Map());
INSTANTIATE_KEYSTORE_CONFORMANCE(Hash, KeystoreUnderTest(HashKeystore()));
INSTANTIATE_KEYSTORE_CONFORMANCE(Btree, KeystoreUnderTest(BtreeKeystore()));

}  // namespace
}  // namespace rumcask
