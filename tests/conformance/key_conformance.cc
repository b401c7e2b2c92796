// Traits, single keys, and random keys.

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "core/plugin/keystore.h"
#include "tests/conformance/keystore_conformance.h"
#include "tests/conformance/tested_keystore.h"
#include "tests/conformance/trying_keys.h"

namespace rumcask {

// A program may have only ordered or only unordered keystores.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OrderedKeystoreConformance);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(UnorderedKeystoreConformance);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(UndoBoundConformance);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(MemoryCountConformance);

namespace {

// The keystores that the tests of each suite run on. INSTANTIATE_TEST_SUITE_P(...,
// KeystoreConformance, ...) alone would leave out the tests of some keystores.
std::map<std::string, std::set<std::string>> KeystoresOfSuites() {
  std::map<std::string, std::set<std::string>> keystores;
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const testing::TestSuite& suite = *all.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j) {
      const std::string test = suite.GetTestInfo(j)->name();
      if (const size_t slash = test.find('/'); slash != std::string::npos) {
        keystores[suite.name()].insert(test.substr(slash + 1));
      }
    }
  }
  return keystores;
}

TEST(KeystoreConformanceList, EveryKeystoreIsPutToAllTestsAboutIt) {
  std::map<std::string, std::set<std::string>> keystores = KeystoresOfSuites();
  const std::string every = "/KeystoreConformance";
  for (const auto& [suite, tested] : std::map(keystores)) {
    if (suite.size() < every.size() ||
        suite.compare(suite.size() - every.size(), every.size(), every) != 0) {
      continue;
    }
    const std::string prefix = suite.substr(0, suite.size() - every.size());
    std::set<std::string> by_order = keystores[prefix + "/OrderedKeystoreConformance"];
    for (const std::string& keystore : keystores[prefix + "/UnorderedKeystoreConformance"]) {
      EXPECT_TRUE(by_order.insert(keystore).second) << keystore;
    }
    EXPECT_EQ(by_order, tested) << "use INSTANTIATE_KEYSTORES_CONFORMANCE for " << prefix;
  }
}

TEST_P(KeystoreConformance, SaysWhatItCanDoBeforeItIsMade) {
  EXPECT_FALSE(traits().name.empty());
  EXPECT_GE(traits().max_key_bytes, 1u);
  EXPECT_LE(traits().max_key_bytes, 65535u);
}

TEST_P(KeystoreConformance, BeginsEmpty) {
  TestedKeystore tested(factory());
  EXPECT_EQ(tested.CompareNow(), "");
  for (const std::string& key : TryingKeys(100, traits().max_key_bytes)) {
    ASSERT_EQ(tested.CompareKey(key), "");
    ASSERT_EQ(tested.Delete(key), "");
    ASSERT_EQ(tested.Relocate(key), "");
  }
  EXPECT_EQ(tested.CompareNow(), "");
}

TEST_P(KeystoreConformance, EveryKeyOfOneByteIsAKeyOfItsOwn) {
  TestedKeystore tested(factory());
  for (int byte = 0; byte < 256; ++byte) {
    ASSERT_EQ(tested.Put(std::string(1, static_cast<char>(byte))), "");
  }
  ASSERT_EQ(tested.CompareNow(), "");
  for (int byte = 0; byte < 256; byte += 2) {
    ASSERT_EQ(tested.Delete(std::string(1, static_cast<char>(byte))), "");
  }
  ASSERT_EQ(tested.CompareNow(), "");
}

TEST_P(KeystoreConformance, KeysOfEveryLengthAreDifferentKeys) {
  TestedKeystore tested(factory());
  const size_t max = traits().max_key_bytes;
  std::set<size_t> lengths = {max, max - 1, max / 2};
  for (size_t n = 1; n < std::min<size_t>(max, 300); ++n) lengths.insert(n);
  for (const char c : {'\0', 'x', '\xff'}) {
    for (const size_t n : lengths) {
      if (n == 0) continue;
      ASSERT_EQ(tested.Put(std::string(n, c)), "") << n;
    }
  }
  ASSERT_EQ(tested.CompareNow(), "");
  // Keys that differ only in their last byte are different, even the longest.
  const std::string longest(max, 'x');
  std::string neighbour = longest;
  ++neighbour.back();
  ASSERT_EQ(tested.Put(neighbour), "");
  ASSERT_EQ(tested.Delete(longest), "");
  ASSERT_EQ(tested.CompareNow(), "");
}

TEST_P(KeystoreConformance, EveryBitOfALocationIsKept) {
  TestedKeystore tested(factory());
  Keystore& keystore = tested.keystore();
  const PreparedKey key = tested.Prepared("k");
  uint64_t sequence = 0;
  Location before;
  for (const Location location :
       {Location::Make(0, 8, 8), Location::Make(Location::kMaxSlots - 1, Location::kMaxOffset, 8),
        Location::Make(1, 8, Location::kLongLength), Location::Make(0x12345, 0x6789ab8, 0xcde8),
        Location::FromBits(~uint64_t{0})}) {
    EXPECT_EQ(keystore.Set(key, location, ++sequence), before);
    Location got;
    ASSERT_TRUE(keystore.Get(key, &got).ok());
    EXPECT_EQ(got, location);
    const Location moved = Location::Make(location.slot() ^ 1, location.offset(), 16);
    EXPECT_TRUE(keystore.Relocate(key, location, moved));
    ASSERT_TRUE(keystore.Get(key, &got).ok());
    EXPECT_EQ(got, moved);
    before = moved;
  }
}

// After each of many puts, deletes and relocations, the keystore agrees with a std::map.
TEST_P(KeystoreConformance, AgreesWithAMap) {
  for (const uint64_t seed : {1, 2, 3}) {
    std::mt19937_64 random(seed);
    TestedKeystore tested(factory());
    const std::vector<std::string> keys = TryingKeys(seed * 500, traits().max_key_bytes);
    for (int step = 0; step < 20000; ++step) {
      ASSERT_EQ(tested.Change(keys, &random), "") << "seed " << seed << " step " << step;
      ASSERT_EQ(tested.CompareKey(keys[random() % keys.size()]), "");
      ASSERT_EQ(tested.keystore().KeyCount(), tested.map().size());
    }
    for (const std::string& key : keys) ASSERT_EQ(tested.CompareKey(key), "");
    ASSERT_EQ(tested.CompareNow(), "");
  }
}

TEST_P(KeystoreConformance, PrefetchIsAHint) {
  TestedKeystore tested(factory());
  for (const std::string& key : TryingKeys(200, traits().max_key_bytes)) {
    tested.keystore().Prefetch(tested.Prepared(key));
    ASSERT_EQ(tested.Put(key), "");
    tested.keystore().Prefetch(tested.Prepared(key));
  }
  EXPECT_EQ(tested.CompareNow(), "");
}

TEST_P(MemoryCountConformance, CountsItsMemory) {
  TestedKeystore tested(factory());
  const uint64_t empty = tested.keystore().MemoryBytes();
  for (int i = 0; i < 20000; ++i) ASSERT_EQ(tested.Put("key" + std::to_string(i)), "");
  // A location alone takes eight bytes. Persistent keystores may have fewer keys in memory.
  const uint64_t least = traits().persistent ? 1 : 20000 * 8;
  EXPECT_GE(tested.keystore().MemoryBytes(), empty + least);
}

}  // namespace
}  // namespace rumcask
