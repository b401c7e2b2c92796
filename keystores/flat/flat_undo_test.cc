#include "keystores/flat/flat_undo.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/plugin/location.h"

namespace rumcask {
namespace {

Location At(uint64_t n) { return Location::Make(1, 4096 + 8 * n, 64); }

class FlatUndoTest : public testing::Test {
 protected:
  FlatUndoKey Key(std::string_view key) { return FlatUndoKey(key, &bytes_); }
  // What the snapshot sees; `table` where the records say nothing.
  Location Seen(std::string_view key, uint64_t epoch, Location table) const {
    Location location = table;
    undo_.Find(key, epoch, &location);
    return location;
  }
  std::multiset<uint64_t> Walk(uint64_t epoch) const {
    std::multiset<uint64_t> all;
    undo_.ForEach(epoch, [&](Location location) { all.insert(location.bits()); });
    return all;
  }

  std::atomic<uint64_t> bytes_{0};
  FlatUndo undo_{&bytes_};
};

TEST_F(FlatUndoTest, ASnapshotSeesTheFirstRecordOfItsEpochOrALaterOne) {
  undo_.Add(Key("b"), 10, At(1));
  undo_.Add(Key("b"), 20, At(2));
  EXPECT_EQ(Seen("b", 5, At(3)), At(1));
  EXPECT_EQ(Seen("b", 10, At(3)), At(1));
  EXPECT_EQ(Seen("b", 11, At(3)), At(2));
  EXPECT_EQ(Seen("b", 20, At(3)), At(2));
  EXPECT_EQ(Seen("b", 21, At(3)), At(3));
  // Neighbours in the order of the keys, one of them a prefix of the other.
  for (const std::string_view other : {"a", "", "bb", "c"}) {
    EXPECT_EQ(Seen(other, 5, At(3)), At(3)) << other;
    EXPECT_FALSE(undo_.HasSince(other, 0)) << other;
    EXPECT_EQ(undo_.SeenFrom(other, 100), 0u) << other;
  }
}

TEST_F(FlatUndoTest, TellsWhichEpochsAKeyHas) {
  undo_.Add(Key("a"), 30, At(0));
  undo_.Add(Key("b"), 10, At(1));
  undo_.Add(Key("b"), 20, At(2));
  EXPECT_TRUE(undo_.HasSince("b", 10));
  EXPECT_TRUE(undo_.HasSince("b", 20));
  EXPECT_FALSE(undo_.HasSince("b", 21));
  EXPECT_EQ(undo_.SeenFrom("b", 10), 0u);
  EXPECT_EQ(undo_.SeenFrom("b", 20), 11u);
  EXPECT_EQ(undo_.SeenFrom("b", 1000), 21u);
}

// A key that a snapshot does not see is a record too, without a location.
TEST_F(FlatUndoTest, AWalkVisitsEachKeyOnce) {
  undo_.Add(Key("a"), 10, At(1));
  undo_.Add(Key("a"), 20, At(2));
  undo_.Add(Key("b"), 20, Location());
  undo_.Add(Key("c"), 10, At(3));
  EXPECT_EQ(Walk(10), (std::multiset<uint64_t>{At(1).bits(), 0, At(3).bits()}));
  EXPECT_EQ(Walk(11), (std::multiset<uint64_t>{At(2).bits(), 0}));
  EXPECT_EQ(Walk(21), std::multiset<uint64_t>());
}

TEST_F(FlatUndoTest, MovesAndRemovesOneRecordOfAKey) {
  undo_.Add(Key("a"), 30, At(1));
  undo_.Add(Key("b"), 30, At(2));
  undo_.Add(Key("b"), 40, At(3));
  undo_.Move(Key("b"), 30, 20);
  EXPECT_EQ(Seen("b", 20, At(9)), At(2));
  EXPECT_EQ(Seen("b", 21, At(9)), At(3));
  EXPECT_EQ(Seen("a", 21, At(9)), At(1));
  undo_.Remove("b", 20);
  EXPECT_EQ(Seen("b", 20, At(9)), At(3));
  undo_.Remove("b", 40);
  undo_.Remove("a", 30);
  EXPECT_TRUE(undo_.empty());
  EXPECT_EQ(bytes_.load(), 0u);
}

// Keys of lengths on both sides of what a string has within itself.
TEST(FlatUndoKeyTest, IsSharedAndCounted) {
  for (const size_t length : {size_t{1}, size_t{15}, size_t{16}, size_t{65535}}) {
    std::atomic<uint64_t> bytes{0};
    const std::string key(length, 'k');
    {
      const FlatUndoKey first(key, &bytes);
      const uint64_t one = bytes.load();
      EXPECT_GE(one, length);
      const FlatUndoKey second = first;
      EXPECT_EQ(bytes.load(), one);
      EXPECT_EQ(second.view(), key);
      EXPECT_EQ(second.view().data(), first.view().data());
    }
    EXPECT_EQ(bytes.load(), 0u);
  }
}

TEST(FlatUndoListsTest, GivesWhatItWasGiven) {
  std::atomic<uint64_t> bytes{0};
  {
    FlatUndoLists lists(&bytes);
    std::mt19937_64 random(1);
    std::map<uint64_t, std::multiset<std::pair<size_t, std::string>>> expected;
    std::vector<FlatUndoPlace> places;
    for (int step = 0; step < 20000; ++step) {
      const uint64_t snapshot = random() % 5;
      auto& mine = expected[snapshot];
      if (random() % 3 != 0 || mine.empty()) {
        const std::string key = absl::StrCat("key", step);
        lists.Add(snapshot, {static_cast<size_t>(step % 7), FlatUndoKey(key, &bytes)});
        mine.emplace(step % 7, key);
        continue;
      }
      const size_t count = 1 + random() % mine.size();
      lists.Take(snapshot, count, &places);
      ASSERT_EQ(places.size(), count);
      for (const FlatUndoPlace& place : places) {
        const auto found = mine.find({place.shard, std::string(place.key.view())});
        ASSERT_NE(found, mine.end());
        mine.erase(found);
      }
    }
    for (const auto& [snapshot, mine] : expected) {
      if (!mine.empty()) lists.Take(snapshot, mine.size(), &places);
    }
    places.clear();
    EXPECT_EQ(bytes.load(), 0u);
    lists.Add(1, {1, FlatUndoKey("a key that nobody takes", &bytes)});
    EXPECT_GT(bytes.load(), 0u);
  }
  EXPECT_EQ(bytes.load(), 0u);
}

}  // namespace
}  // namespace rumcask
