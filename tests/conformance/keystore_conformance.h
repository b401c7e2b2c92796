// Tests of the contract of core/plugin/keystore.h, for any keystore. Public, for tests.
//
// A plugin's own test names its factory and depends on //tests:keystore_conformance:
//
//   #include "rumcask/keystore_conformance.h"
//
//   INSTANTIATE_KEYSTORE_CONFORMANCE(Mine, KeystoreUnderTest(MyKeystore()));
//
// in namespace rumcask. Tests of what the traits exclude are left out. Run it under ThreadSanitizer
// and AddressSanitizer as well, because some promises are about what those detect.

#ifndef RUMCASK_TESTS_CONFORMANCE_KEYSTORE_CONFORMANCE_H_
#define RUMCASK_TESTS_CONFORMANCE_KEYSTORE_CONFORMANCE_H_

#include "rumcask/require_cxx17.h"

#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "rumcask/keystore.h"

namespace rumcask {

struct KeystoreUnderTest {
  explicit KeystoreUnderTest(KeystoreFactory f) : factory(std::move(f)) {}

  KeystoreFactory factory;
  // The keystore counts what it keeps for snapshots, and gives up the oldest beyond max_undo_bytes.
  // False only for keystores that exist for tests.
  bool bounds_undo = true;
  // MemoryBytes is not just zero.
  bool counts_memory = true;
};

inline std::ostream& operator<<(std::ostream& out, const KeystoreUnderTest& tested) {
  return out << tested.factory.traits.name;
}

// Tests of what every keystore promises.
class KeystoreConformance : public testing::TestWithParam<KeystoreUnderTest> {
 protected:
  const KeystoreFactory& factory() const { return GetParam().factory; }
  const KeystoreTraits& traits() const { return factory().traits; }
};

// Tests of what some keystores promise.
class OrderedKeystoreConformance : public KeystoreConformance {};
class UnorderedKeystoreConformance : public KeystoreConformance {};
class UndoBoundConformance : public KeystoreConformance {};
class MemoryCountConformance : public KeystoreConformance {};

// The keystores for which `has` is true.
template <typename Predicate>
std::vector<KeystoreUnderTest> KeystoresIf(const std::vector<KeystoreUnderTest>& all,
                                           Predicate has) {
  std::vector<KeystoreUnderTest> some;
  for (const KeystoreUnderTest& tested : all) {
    if (has(tested)) some.push_back(tested);
  }
  return some;
}

inline std::string KeystoreTestName(const testing::TestParamInfo<KeystoreUnderTest>& info) {
  std::string name = info.param.factory.traits.name;
  for (char& c : name) {
    if (c == '-') c = '_';
  }
  return name;
}

// Runs all tests that apply to each of the keystores in a list.
#define INSTANTIATE_KEYSTORES_CONFORMANCE(prefix, all)                                             \
  INSTANTIATE_TEST_SUITE_P(prefix, KeystoreConformance, testing::ValuesIn(all), KeystoreTestName); \
  INSTANTIATE_TEST_SUITE_P(                                                                        \
      prefix, OrderedKeystoreConformance,                                                          \
      testing::ValuesIn(KeystoresIf(all, [](const auto& k) { return k.factory.traits.ordered; })), \
      KeystoreTestName);                                                                           \
  INSTANTIATE_TEST_SUITE_P(prefix, UnorderedKeystoreConformance,                                   \
                           testing::ValuesIn(KeystoresIf(                                          \
                               all, [](const auto& k) { return !k.factory.traits.ordered; })),     \
                           KeystoreTestName);                                                      \
  INSTANTIATE_TEST_SUITE_P(                                                                        \
      prefix, UndoBoundConformance,                                                                \
      testing::ValuesIn(KeystoresIf(all, [](const auto& k) { return k.bounds_undo; })),            \
      KeystoreTestName);                                                                           \
  INSTANTIATE_TEST_SUITE_P(                                                                        \
      prefix, MemoryCountConformance,                                                              \
      testing::ValuesIn(KeystoresIf(all, [](const auto& k) { return k.counts_memory; })),          \
      KeystoreTestName)

// The same for one keystore.
#define INSTANTIATE_KEYSTORE_CONFORMANCE(prefix, tested) \
  INSTANTIATE_KEYSTORES_CONFORMANCE(prefix, std::vector<KeystoreUnderTest>{tested})

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CONFORMANCE_KEYSTORE_CONFORMANCE_H_
