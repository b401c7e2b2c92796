#include "keystores/flat/flat_table.h"

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/plugin/keystore.h"
#include "keystores/flat/key_arena.h"

namespace rumcask {
namespace {

Location At(uint64_t n) { return Location::Make(1, 4096 + 8 * (n % 100000), 64); }

PreparedKey Prepared(std::string_view key) {
  PreparedKey prepared(key);
  prepared.digest[0] = FlatTable::Hash(key);
  return prepared;
}

TEST(KeyArenaTest, KeepsKeysOfEveryLength) {
  KeyArena arena;
  std::vector<uint32_t> at;
  std::vector<std::string> keys;
  for (const size_t length : {1, 2, 254, 255, 256, 257, 65534, 65535}) {
    keys.emplace_back(length, static_cast<char>('a' + keys.size()));
    at.push_back(arena.Add(keys.back()));
  }
  for (size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(arena.Get(at[i]), keys[i]) << i;
}

TEST(KeyArenaTest, HasAtMostAnEighthToGrow) {
  KeyArena arena;
  uint64_t capacity = 0;
  int moves = 0;
  for (int i = 0; i < 100000; ++i) {
    arena.Add("sixteen bytes...");
    ASSERT_LE(arena.memory_bytes(), arena.live_bytes() + arena.live_bytes() / 8 + 17) << i;
    if (arena.memory_bytes() != capacity) ++moves;
    capacity = arena.memory_bytes();
  }
  // From 18 bytes to 1.7 million in steps of 9 to 8 it takes 98; the smallest steps are a key.
  EXPECT_LE(moves, 120);
}

TEST(KeyArenaTest, IsSparseWhenHalfIsDead) {
  KeyArena arena;
  const uint32_t one = arena.Add("1");
  const uint32_t two = arena.Add("2");
  arena.Add("3");
  arena.Drop(one);
  EXPECT_FALSE(arena.is_sparse());
  arena.Drop(two);
  EXPECT_TRUE(arena.is_sparse());
  EXPECT_EQ(arena.live_bytes(), 2u);
}

TEST(FlatTableTest, DoesWhatAMapDoes) {
  std::mt19937_64 random(1);
  FlatTable table;
  std::map<std::string, Location> expected;
  for (int step = 0; step < 120000; ++step) {
    // Phases in which it grows and shrinks.
    const bool grows = step / 10000 % 3 != 2;
    const std::string key =
        absl::StrCat(std::string(random() % 20 == 0 ? 300 : 3, 'k'), random() % 20000);
    const PreparedKey prepared = Prepared(key);
    FlatTable::Slot* const slot = table.Find(prepared);
    ASSERT_EQ(slot != nullptr, expected.count(key) == 1) << key;
    if (slot != nullptr) {
      ASSERT_EQ(slot->location(), expected[key]);
      if (grows) {
        slot->set_location(At(step));
        expected[key] = At(step);
      } else {
        table.Erase(prepared);
        expected.erase(key);
      }
    } else if (grows) {
      table.Insert(prepared, At(step));
      expected[key] = At(step);
    } else if (!expected.empty()) {
      const std::string first = expected.begin()->first;
      table.Erase(Prepared(first));
      expected.erase(first);
    }
    if (step % 4000 != 0) continue;
    std::map<std::string, Location> all;
    table.ForEach([&](std::string_view k, Location location) {
      EXPECT_TRUE(all.emplace(k, location).second) << k;
    });
    ASSERT_EQ(all.size(), expected.size());
    for (const auto& [k, location] : expected) ASSERT_EQ(all[k], location) << k;
  }
}

TEST(FlatTableTest, KeysWithTheSameHashAreKeptApart) {
  FlatTable table([](std::string_view) -> uint64_t { return 42; });
  const auto colliding = [](std::string_view key) {
    PreparedKey prepared(key);
    prepared.digest[0] = 42;
    return prepared;
  };
  constexpr int kKeys = 100;
  const auto key = [](int i) { return absl::StrCat("key", i); };
  for (int i = 0; i < kKeys; ++i) {
    const std::string name = key(i);
    ASSERT_EQ(table.Find(colliding(name)), nullptr);
    table.Insert(colliding(name), At(i));
  }
  for (int i = 0; i < kKeys; i += 2) {
    const std::string name = key(i);
    table.Erase(colliding(name));
  }
  for (int i = 0; i < kKeys; ++i) {
    const std::string name = key(i);
    FlatTable::Slot* const slot = table.Find(colliding(name));
    ASSERT_EQ(slot != nullptr, i % 2 == 1) << i;
    if (slot != nullptr) {
      EXPECT_EQ(slot->location(), At(i));
    }
  }
}

TEST(FlatTableTest, WhatDeletedKeysTookIsGivenBack) {
  FlatTable table;
  constexpr int kKeys = 100000;
  const auto key = [](int i) { return absl::StrCat("a key of some length ", i); };
  for (int i = 0; i < kKeys; ++i) table.Insert(Prepared(key(i)), At(i));
  const uint64_t full = table.memory_bytes();
  for (int i = 100; i < kKeys; ++i) table.Erase(Prepared(key(i)));
  EXPECT_LT(table.memory_bytes(), full / 100);
  for (int i = 0; i < 100; ++i) ASSERT_NE(table.Find(Prepared(key(i))), nullptr) << i;
  for (int i = 0; i < 100; ++i) table.Erase(Prepared(key(i)));
  EXPECT_LT(table.memory_bytes(), 64u);
}

// Keys come and go, and their number stays the same.
TEST(FlatTableTest, AQueueTakesNoMoreAndMoreMemory) {
  FlatTable table;
  const auto key = [](int i) { return absl::StrCat("queue/", i); };
  for (int i = 0; i < 1000; ++i) table.Insert(Prepared(key(i)), At(i));
  for (int i = 1000; i < 200000; ++i) {
    table.Insert(Prepared(key(i)), At(i));
    table.Erase(Prepared(key(i - 1000)));
    // The keys, as many dead bytes, an eighth; slots at their lowest use.
    ASSERT_LT(table.memory_bytes(), 1000 * (2 * 13 * 9 / 8 + 13 * 16 / 7) + 4096) << i;
  }
}

}  // namespace
}  // namespace rumcask
