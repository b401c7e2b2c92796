// Cursors of unordered keystores and scans of ordered ones.

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

#include "core/plugin/keystore.h"
#include "tests/conformance/keystore_conformance.h"
#include "tests/conformance/tested_keystore.h"
#include "tests/conformance/trying_keys.h"

namespace rumcask {
namespace {

TEST_P(KeystoreConformance, HasAScanOrACursor) {
  TestedKeystore tested(factory());
  ASSERT_EQ(tested.Put("k"), "");
  const auto held = tested.Take();
  KeyBlock block;
  const absl::Status scan = tested.keystore().Scan(*held.snapshot, KeyRange(), 10, &block);
  if (traits().ordered) {
    EXPECT_TRUE(scan.ok()) << scan;
    EXPECT_EQ(tested.keystore().NewCursor(nullptr), nullptr);
    EXPECT_EQ(tested.keystore().NewCursor(held.snapshot), nullptr);
  } else {
    EXPECT_TRUE(absl::IsUnimplemented(scan)) << scan;
    EXPECT_NE(tested.keystore().NewCursor(nullptr), nullptr);
    EXPECT_NE(tested.keystore().NewCursor(held.snapshot), nullptr);
  }
}

// ---- cursors ----

TEST_P(UnorderedKeystoreConformance, ACursorIsEmptyAtTheEndAndStaysSo) {
  TestedKeystore tested(factory());
  for (const std::string key : {"", "a", "b"}) {
    if (!key.empty()) {
      ASSERT_EQ(tested.Put(key), "");
    }
    for (const auto& snapshot : {tested.Take().snapshot, {}}) {
      const std::unique_ptr<KeystoreCursor> cursor = tested.keystore().NewCursor(snapshot);
      std::vector<Location> part;
      do {
        ASSERT_TRUE(cursor->Next(&part).ok());
      } while (!part.empty());
      for (int again = 0; again < 3; ++again) {
        part = {PlaceOf(7)};
        ASSERT_TRUE(cursor->Next(&part).ok());
        EXPECT_TRUE(part.empty());
      }
    }
  }
}

// Without a snapshot, keys that stay come exactly once, whether or not the table grows, and others
// at most once.
TEST_P(UnorderedKeystoreConformance, ACursorYieldsWhatStaysExactlyOnce) {
  TestedKeystore tested(factory());
  constexpr int kKeys = 3000;
  std::set<uint64_t> stays;
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_EQ(tested.Put("stays" + std::to_string(i)), "");
    stays.insert(tested.last_sequence());
    ASSERT_EQ(tested.Put("goes" + std::to_string(i)), "");
  }
  std::mt19937_64 random(5);
  // The key of each record.
  std::map<uint64_t, std::string> key_of;
  for (const auto& [key, entry] : tested.map()) key_of[RecordAt(entry.location)] = key;
  const auto put = [&](const std::string& key) {
    ASSERT_EQ(tested.Put(key), "");
    key_of[tested.last_sequence()] = key;
  };
  const std::unique_ptr<KeystoreCursor> cursor = tested.keystore().NewCursor(nullptr);
  const std::unique_ptr<KeystoreCursor> other = tested.keystore().NewCursor(nullptr);
  std::map<std::string, int> seen;
  std::vector<Location> part;
  do {
    ASSERT_TRUE(cursor->Next(&part).ok());
    for (const Location location : part) {
      ASSERT_EQ(key_of.count(RecordAt(location)), 1u);
      ++seen[key_of[RecordAt(location)]];
    }
    for (int n = 0; n < 4; ++n) {
      const std::string i = std::to_string(random() % kKeys);
      switch (random() % 4) {
        case 0:
          ASSERT_EQ(tested.Delete("goes" + i), "");
          break;
        case 1:
          ASSERT_EQ(tested.Relocate("stays" + i), "");
          break;
        case 2:
          put("goes" + i);
          break;
        default:
          put("comes" + std::to_string(random()));
      }
    }
    if (random() % 8 == 0) {
      std::vector<Location> ignored;
      ASSERT_TRUE(other->Next(&ignored).ok());
    }
  } while (!part.empty());
  for (const auto& [key, times] : seen) EXPECT_EQ(times, 1) << key;
  for (const uint64_t record : stays) EXPECT_EQ(seen[key_of[record]], 1) << key_of[record];
}

// The cursor holds its snapshot itself.
TEST_P(UnorderedKeystoreConformance, ACursorAtASnapshotIsOfThatMoment) {
  TestedKeystore tested(factory());
  std::mt19937_64 random(6);
  const std::vector<std::string> keys = TryingKeys(1000, traits().max_key_bytes);
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(tested.Change(keys, &random), "");
  std::multiset<uint64_t> expected;
  for (const auto& [key, entry] : tested.map()) expected.insert(RecordAt(entry.location));
  const std::unique_ptr<KeystoreCursor> cursor =
      tested.keystore().NewCursor(tested.Take().snapshot);
  std::multiset<uint64_t> got;
  std::vector<Location> part;
  do {
    for (int i = 0; i < 5; ++i) ASSERT_EQ(tested.Change(keys, &random), "");
    ASSERT_TRUE(cursor->Next(&part).ok());
    for (const Location location : part) got.insert(RecordAt(location));
  } while (!part.empty());
  EXPECT_EQ(got, expected);
}

// ---- scans ----

// The result of a scan according to keystore.h.
std::vector<std::string> Expected(const TestedKeystore::Map& map, const KeyRange& range,
                                  size_t limit) {
  std::vector<std::string> keys;
  for (const auto& [key, entry] : map) {
    if (key < range.lower || (range.after_lower && key == range.lower)) continue;
    if (!range.upper.empty() && key >= range.upper) continue;
    keys.push_back(key);
  }
  if (range.reverse) std::reverse(keys.begin(), keys.end());
  if (keys.size() > limit) keys.resize(limit);
  return keys;
}

std::string Shown(std::string_view key) { return absl::CHexEscape(std::string(key.substr(0, 20))); }

void ExpectScan(const TestedKeystore::Held& held, const Keystore& keystore, const KeyRange& range,
                size_t limit) {
  SCOPED_TRACE(testing::Message() << "from '" << Shown(range.lower) << "' to '"
                                  << Shown(range.upper) << "'"
                                  << (range.after_lower ? " after" : "")
                                  << (range.reverse ? " reverse" : "") << " limit " << limit);
  KeyBlock block;
  block.Add("has to be replaced", PlaceOf(0), 0);
  const absl::Status status = keystore.Scan(*held.snapshot, range, limit, &block);
  ASSERT_TRUE(status.ok()) << status;
  const std::vector<std::string> expected = Expected(held.map, range, limit);
  ASSERT_EQ(block.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(block.key(i), expected[i]);
    const TestedKeystore::Entry& entry = held.map.find(expected[i])->second;
    ASSERT_EQ(RecordAt(block.location(i)), RecordAt(entry.location));
    ASSERT_EQ(block.sequence(i), entry.sequence);
  }
}

TEST_P(OrderedKeystoreConformance, ScansRangesBothWays) {
  TestedKeystore tested(factory());
  std::mt19937_64 random(8);
  const std::vector<std::string> keys = TryingKeys(400, traits().max_key_bytes);
  std::vector<TestedKeystore::Held> held;
  held.push_back(tested.Take());
  for (int moment = 0; moment < 4; ++moment) {
    for (int i = 0; i < 300; ++i) ASSERT_EQ(tested.Change(keys, &random), "");
    held.push_back(tested.Take());
  }
  for (int n = 0; n < 4000; ++n) {
    // A bound that is a key, that lies beside a key, or none.
    const auto bound = [&]() -> std::string {
      const std::string& key = keys[random() % keys.size()];
      switch (random() % 5) {
        case 0:
          return "";
        case 1:
          return key + '\0';
        case 2:
          return key.substr(0, key.size() - 1);
        default:
          return key;
      }
    };
    const std::string lower = bound();
    const std::string upper = random() % 8 == 0 ? lower : bound();
    KeyRange range;
    range.lower = lower;
    range.upper = upper;
    range.after_lower = random() % 2 == 0;
    range.reverse = random() % 2 == 0;
    const size_t limit = std::vector<size_t>{0, 1, 2, 7, 50, 100000}[random() % 6];
    ExpectScan(held[random() % held.size()], tested.keystore(), range, limit);
    if (HasFatalFailure()) return;
  }
}

TEST_P(OrderedKeystoreConformance, ScansTheEdges) {
  TestedKeystore tested(factory());
  const std::string longest(traits().max_key_bytes, '\xff');
  const std::vector<std::string> keys = {std::string(1, '\0'),
                                         std::string(2, '\0'),
                                         "a",
                                         std::string("a\0", 2),
                                         "aa",
                                         "b",
                                         "\x7f",
                                         "\x80",
                                         "\xff",
                                         "\xff\xff",
                                         longest};
  for (const std::string& key : keys) ASSERT_EQ(tested.Put(key), "");
  const auto held = tested.Take();
  std::vector<std::string> bounds = keys;
  bounds.insert(bounds.end(), {"", "A", "a!", "c", "\x81"});
  for (const std::string& lower : bounds) {
    for (const std::string& upper : bounds) {
      for (const bool after : {false, true}) {
        for (const bool reverse : {false, true}) {
          for (const size_t limit : {1, 3, 100}) {
            ExpectScan(held, tested.keystore(), {lower, upper, after, reverse}, limit);
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

// Most keys are newer than the snapshot or have been deleted since.
TEST_P(OrderedKeystoreConformance, ScansPastWhatTheSnapshotDoesNotSee) {
  TestedKeystore tested(factory());
  const auto put = [&](int begin, int end, int step) {
    for (int i = begin; i < end; i += step) {
      ASSERT_EQ(tested.Put("key" + std::to_string(100000 + i)), "");
    }
  };
  put(3000, 3005, 1);
  put(15000, 15002, 1);
  const auto held = tested.Take();
  put(0, 20000, 1);
  for (int i = 0; i < 20000; i += 3) {
    ASSERT_EQ(tested.Delete("key" + std::to_string(100000 + i)), "");
  }
  EXPECT_EQ(tested.CompareWalk(held), "");
  const auto now = tested.Take();
  for (const bool reverse : {false, true}) {
    ExpectScan(now, tested.keystore(), {{}, {}, false, reverse}, 100000);
    for (const size_t limit : {1, 3, 5, 6, 7, 100}) {
      ExpectScan(held, tested.keystore(), {{}, {}, false, reverse}, limit);
      ExpectScan(held, tested.keystore(), {"key103002", "key115001", true, reverse}, limit);
    }
  }
  EXPECT_EQ(tested.CompareNow(), "");
}

// The result of a walk does not depend on the size of its blocks or on writers.
TEST_P(OrderedKeystoreConformance, BlocksOfAScanJoin) {
  TestedKeystore tested(factory());
  std::mt19937_64 random(9);
  const std::vector<std::string> keys = TryingKeys(700, traits().max_key_bytes);
  for (int i = 0; i < 1500; ++i) ASSERT_EQ(tested.Change(keys, &random), "");
  const auto held = tested.Take();
  std::vector<std::string> expected = Expected(held.map, KeyRange(), held.map.size());
  for (const bool reverse : {false, true}) {
    for (const size_t limit : {1, 2, 3, 64, 100000}) {
      for (int i = 0; i < 200; ++i) ASSERT_EQ(tested.Change(keys, &random), "");
      std::vector<std::pair<std::string, TestedKeystore::Entry>> found;
      ASSERT_TRUE(ScanAll(tested.keystore(), *held.snapshot, reverse, limit, &found).ok());
      std::vector<std::string> got;
      for (auto& [key, entry] : found) got.push_back(std::move(key));
      ASSERT_TRUE(got == expected) << reverse << " " << limit;
    }
    std::reverse(expected.begin(), expected.end());
  }
}

}  // namespace
}  // namespace rumcask
