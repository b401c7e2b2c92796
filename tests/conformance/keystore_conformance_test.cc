// Tests the keystores of this project against the contract.

#include "tests/conformance/keystore_conformance.h"

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "core/testing/map_keystore.h"
#include "keystores/by_name.h"

namespace rumcask {
namespace {

// Tested as well, because core's own tests rely on it.
KeystoreUnderTest Map() {
  KeystoreUnderTest tested(TestKeystore());
  tested.bounds_undo = false;
  tested.counts_memory = false;
  return tested;
}

INSTANTIATE_KEYSTORE_CONFORMANCE(Map, Map());

std::vector<KeystoreUnderTest> InMemory() {
  std::vector<KeystoreUnderTest> all;
  for (const std::string& name : KeystoreNames()) {
    KeystoreFactory factory = KeystoreByName(name).value();
    if (!factory.traits.persistent) all.emplace_back(std::move(factory));
  }
  return all;
}

INSTANTIATE_KEYSTORES_CONFORMANCE(Keystores, InMemory());

}  // namespace
}  // namespace rumcask
