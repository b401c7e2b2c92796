// The contract of core/keystore.h as tests that any keystore can be put to. Public, for tests.
//
// A plugin's own test names its factory and depends on //tests:keystore_conformance:
//
//   #include "rumcask/keystore_conformance.h"
//
//   INSTANTIATE_TEST_SUITE_P(Mine, KeystoreConformance,
//                            testing::Values(KeystoreUnderTest(MyKeystore())));
//
// in namespace rumcask. What the traits say it does not do is skipped. Run it under ThreadSanitizer
// and AddressSanitizer as well: some promises are about those.

#ifndef RUMCASK_TESTS_CONFORMANCE_KEYSTORE_CONFORMANCE_H_
#define RUMCASK_TESTS_CONFORMANCE_KEYSTORE_CONFORMANCE_H_

#include "rumcask/require_cxx17.h"

#include <ostream>
#include <utility>

#include "gtest/gtest.h"
#include "rumcask/keystore.h"

namespace rumcask {

struct KeystoreUnderTest {
  explicit KeystoreUnderTest(KeystoreFactory f) : factory(std::move(f)) {}

  KeystoreFactory factory;
  // Counts what it keeps for snapshots, and gives up the oldest beyond max_undo_bytes. False only
  // for keystores that exist for tests.
  bool bounds_undo = true;
  // MemoryBytes says something.
  bool counts_memory = true;
};

inline std::ostream& operator<<(std::ostream& out, const KeystoreUnderTest& tested) {
  return out << tested.factory.traits.name;
}

class KeystoreConformance : public testing::TestWithParam<KeystoreUnderTest> {
 protected:
  const KeystoreFactory& factory() const { return GetParam().factory; }
  const KeystoreTraits& traits() const { return factory().traits; }
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CONFORMANCE_KEYSTORE_CONFORMANCE_H_
