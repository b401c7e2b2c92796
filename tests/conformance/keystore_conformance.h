// The contract of core/plugin/keystore.h as tests that any keystore can be put to. Public, for
// tests.
//
// A plugin's own test names its factory and depends on //tests:keystore_conformance:
//
//   #include "rumcask/keystore_conformance.h"
//
//   INSTANTIATE_KEYSTORE_CONFORMANCE(Mine, KeystoreUnderTest(MyKeystore()));
//
// in namespace rumcask. What the traits say it does not do is not among its tests. Run it under
// ThreadSanitizer and AddressSanitizer as well: some promises are about those.

#ifndef RUMCASK_TESTS_CONFORMANCE_KEYSTORE_CONFORMANCE_H_
#define RUMCASK_TESTS_CONFORMANCE_KEYSTORE_CONFORMANCE_H_

#include "rumcask/require_cxx17.h"

#include <ostream>
#include <utility>
#include <vector>

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

// What every keystore promises.
class KeystoreConformance : public testing::TestWithParam<KeystoreUnderTest> {
 protected:
  const KeystoreFactory& factory() const { return GetParam().factory; }
  const KeystoreTraits& traits() const { return factory().traits; }
};

// What some do.
class OrderedKeystoreConformance : public KeystoreConformance {};
class UnorderedKeystoreConformance : public KeystoreConformance {};
class UndoBoundConformance : public KeystoreConformance {};
class MemoryCountConformance : public KeystoreConformance {};

// The keystore, or none.
inline std::vector<KeystoreUnderTest> KeystoreIf(bool wanted, const KeystoreUnderTest& tested) {
  return wanted ? std::vector<KeystoreUnderTest>{tested} : std::vector<KeystoreUnderTest>();
}

// Puts the keystore to all tests that are about it.
#define INSTANTIATE_KEYSTORE_CONFORMANCE(prefix, tested)                                 \
  INSTANTIATE_TEST_SUITE_P(prefix, KeystoreConformance, testing::Values(tested));        \
  INSTANTIATE_TEST_SUITE_P(                                                              \
      prefix, OrderedKeystoreConformance,                                                \
      testing::ValuesIn(KeystoreIf((tested).factory.traits.ordered, tested)));           \
  INSTANTIATE_TEST_SUITE_P(                                                              \
      prefix, UnorderedKeystoreConformance,                                              \
      testing::ValuesIn(KeystoreIf(!(tested).factory.traits.ordered, tested)));          \
  INSTANTIATE_TEST_SUITE_P(prefix, UndoBoundConformance,                                 \
                           testing::ValuesIn(KeystoreIf((tested).bounds_undo, tested))); \
  INSTANTIATE_TEST_SUITE_P(prefix, MemoryCountConformance,                               \
                           testing::ValuesIn(KeystoreIf((tested).counts_memory, tested)))

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CONFORMANCE_KEYSTORE_CONFORMANCE_H_
