#include "keystores/hash/digest_table.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace rumcask {
namespace {

using Key = std::pair<uint64_t, uint32_t>;

StoredDigest DigestOf(const Key& key) { return {key.first, key.second}; }
PackedLocation PlaceOf(uint32_t n) { return PackedLocation(Location::Make(n, 128 + 8 * n, 40)); }

// With few different digests and many erasures, buckets fill up, are passed by and become empty
// again, in tables of every size from one bucket on.
TEST(DigestTable, AgreesWithAMap) {
  for (const uint64_t range : {3, 10, 100, 2000}) {
    TableArena arena;
    DigestTable table;
    std::map<Key, uint32_t> model;
    std::mt19937_64 random(range);
    for (uint32_t step = 0; step < 40000; ++step) {
      // Only the low bits choose the bucket, so some digests share one.
      const Key key{(random() % range) * (random() % 2 == 0 ? 1 : 0x100000001), random() % 3};
      const auto known = model.find(key);
      PackedLocation* const place = table.Find(DigestOf(key));
      ASSERT_EQ(place != nullptr, known != model.end());
      if (place == nullptr) {
        table.Insert(DigestOf(key), PlaceOf(step), &arena);
        model[key] = step;
      } else {
        ASSERT_EQ(place->location(), PlaceOf(known->second).location());
        if (random() % 2 == 0) {
          *place = PlaceOf(step);
          known->second = step;
        } else {
          table.Erase(DigestOf(key));
          model.erase(known);
          // Phases in which the table keeps its size alternate with phases in which it shrinks.
          if (step / 5000 % 2 == 1) table.ShrinkIfSparse(&arena);
        }
      }
      ASSERT_EQ(table.size(), model.size());
    }
    size_t visited = 0;
    table.ForEach([&](const StoredDigest&, const PackedLocation&) { ++visited; });
    EXPECT_EQ(visited, model.size());
    for (const auto& [key, n] : model) {
      PackedLocation* const place = table.Find(DigestOf(key));
      ASSERT_NE(place, nullptr);
      EXPECT_EQ(place->location(), PlaceOf(n).location());
    }
  }
}

TEST(DigestTable, ErasesByPredicate) {
  TableArena arena;
  DigestTable table;
  std::mt19937_64 random(1);
  std::map<Key, bool> deletes;
  for (uint32_t i = 0; i < 1000; ++i) {
    const Key key{random(), static_cast<uint32_t>(random())};
    deletes[key] = i % 3 == 0;
    const Location location = Location::Make(1, 128 + 8 * i, 40);
    table.Insert(DigestOf(key),
                 deletes[key] ? PackedLocation::OfDelete(location) : PackedLocation(location),
                 &arena);
  }
  table.EraseIf([](const PackedLocation& place) { return place.is_delete(); });
  for (const auto& [key, is_delete] : deletes) {
    EXPECT_EQ(table.Find(DigestOf(key)) == nullptr, is_delete);
  }
  EXPECT_EQ(table.size(), 666u);
}

// With 9 of 10 entries used, a table of digests as random as real ones stays within its memory.
TEST(DigestTable, UsesNineOfTenEntries) {
  TableArena arena;
  DigestTable table;
  std::mt19937_64 random(1);
  for (uint32_t i = 0; i < 4096 * 3 * 9 / 10; ++i) {
    table.Insert(DigestOf({random(), static_cast<uint32_t>(random())}), PlaceOf(i), &arena);
  }
  EXPECT_EQ(table.memory_bytes(), 4096u * 64);
}

TEST(DigestTable, GivesMemoryBackWhenMostlyEmpty) {
  constexpr uint32_t kEntries = 100000;
  TableArena arena;
  DigestTable table;
  std::mt19937_64 random(1);
  std::vector<Key> keys;
  for (uint32_t i = 0; i < kEntries; ++i) {
    keys.emplace_back(random(), static_cast<uint32_t>(random()));
    table.Insert(DigestOf(keys.back()), PlaceOf(i), &arena);
  }
  const size_t full = table.memory_bytes();
  size_t bytes = full;
  size_t changes = 0;
  for (uint32_t left = kEntries; left > 0; --left) {
    table.Erase(DigestOf(keys[left - 1]));
    table.ShrinkIfSparse(&arena);
    ASSERT_EQ(table.size(), left - 1);
    changes += table.memory_bytes() != bytes;
    bytes = table.memory_bytes();
    // 20 bytes for an entry, with a quarter of the entries used.
    ASSERT_LE(bytes, std::max<size_t>(64, left * 4 * 64 / 3));
    if ((left & (left - 1)) != 0) continue;
    for (uint32_t i = 0; i < left - 1; ++i) {
      PackedLocation* const place = table.Find(DigestOf(keys[i]));
      ASSERT_NE(place, nullptr);
      ASSERT_EQ(place->location(), PlaceOf(i).location());
    }
  }
  EXPECT_EQ(bytes, 64u);
  EXPECT_LE(changes, 20u) << "it was copied more often than halved";
}

// Tests the size at which the table shrinks and the size at which it grows.
TEST(DigestTable, DoesNotGrowAndShrinkInTurns) {
  TableArena arena;
  DigestTable table;
  std::mt19937_64 random(1);
  std::vector<Key> keys;
  for (uint32_t i = 0; i < 10000; ++i) {
    keys.emplace_back(random(), static_cast<uint32_t>(random()));
    table.Insert(DigestOf(keys.back()), PlaceOf(i), &arena);
  }
  size_t bytes = table.memory_bytes();
  size_t changes = 0;
  while (!keys.empty()) {
    for (uint32_t turn = 0; turn < 10; ++turn) {
      table.Erase(DigestOf(keys.back()));
      table.ShrinkIfSparse(&arena);
      changes += std::exchange(bytes, table.memory_bytes()) != table.memory_bytes();
      table.Insert(DigestOf(keys.back()), PlaceOf(turn), &arena);
      changes += std::exchange(bytes, table.memory_bytes()) != table.memory_bytes();
    }
    table.Erase(DigestOf(keys.back()));
    table.ShrinkIfSparse(&arena);
    keys.pop_back();
  }
  EXPECT_LE(changes, 20u);
}

}  // namespace
}  // namespace rumcask
