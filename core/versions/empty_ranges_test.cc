#include "core/versions/empty_ranges.h"

#include <cstdint>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <string_view>

#include "absl/strings/str_format.h"
#include "gtest/gtest.h"

namespace rumcask {
namespace {

using Kind = EmptyRanges::Kind;

std::string Key(uint64_t i) { return absl::StrFormat("%04d", i); }

std::string Found(const EmptyRanges& ranges, uint64_t snapshot, std::string_view at,
                  bool reverse = false) {
  std::string end;
  switch (ranges.Find(snapshot, at, reverse, &end)) {
    case Kind::kNone:
      return "none";
    case Kind::kTooNew:
      return "too new";
    case Kind::kForLater:
      return "to " + end;
    case Kind::kForSnapshot:
      return "this to " + end;
  }
  return "";
}

void Learn(EmptyRanges* ranges, std::string_view lower, std::string_view upper) {
  const EmptyRanges::Watch watch(ranges, lower, /*reverse=*/false);
  ranges->Learn(watch, lower, upper);
}

TEST(EmptyRangesTest, AreFoundFromBothSides) {
  EmptyRanges ranges;
  EXPECT_EQ(Found(ranges, 9, ""), "none");
  ranges.Changing(5);
  Learn(&ranges, "b", "d");
  for (const char* at : {"a", "", "d", "e"}) EXPECT_EQ(Found(ranges, 5, at), "none") << at;
  for (const char* at : {"b", "c", "cz"}) EXPECT_EQ(Found(ranges, 5, at), "to d") << at;
  for (const char* at : {"a", "b", "e", ""}) EXPECT_EQ(Found(ranges, 5, at, true), "none") << at;
  for (const char* at : {"c", "d"}) EXPECT_EQ(Found(ranges, 5, at, true), "to b") << at;
  EXPECT_EQ(Found(ranges, 4, "c"), "too new");
  EXPECT_EQ(Found(ranges, 6, "c"), "to d");
}

TEST(EmptyRangesTest, TheNextOneIsFound) {
  EmptyRanges ranges;
  std::string begin;
  EXPECT_FALSE(ranges.FindNext(9, "", false, &begin));
  ranges.Changing(5);
  Learn(&ranges, "d", "f");
  ranges.Changing(7);
  Learn(&ranges, "h", "k");
  ranges.LearnFor(6, "b", "c");
  ranges.LearnFor(6, "l", "");
  const auto next = [&](uint64_t snapshot, std::string_view at, bool reverse = false) {
    return ranges.FindNext(snapshot, at, reverse, &begin) ? begin : "none";
  };
  EXPECT_EQ(next(7, ""), "d");
  EXPECT_EQ(next(7, "d"), "h");
  EXPECT_EQ(next(7, "g"), "h");
  EXPECT_EQ(next(7, "i"), "none");
  EXPECT_EQ(next(5, "e"), "none");
  EXPECT_EQ(next(6, ""), "b");
  EXPECT_EQ(next(6, "b"), "d");
  EXPECT_EQ(next(6, "d"), "l");
  EXPECT_EQ(next(7, "", true), "k");
  EXPECT_EQ(next(7, "k", true), "f");
  EXPECT_EQ(next(7, "i", true), "f");
  EXPECT_EQ(next(7, "g", true), "f");
  EXPECT_EQ(next(7, "f", true), "none");
  EXPECT_EQ(next(5, "k", true), "f");
  EXPECT_EQ(next(6, "", true), "f");
  EXPECT_EQ(next(6, "e", true), "c");
  EXPECT_EQ(next(6, "c", true), "none");
}

TEST(EmptyRangesTest, WithoutEnds) {
  EmptyRanges ranges;
  Learn(&ranges, "", "");
  EXPECT_EQ(Found(ranges, 0, ""), "to ");
  EXPECT_EQ(Found(ranges, 0, "x"), "to ");
  EXPECT_EQ(Found(ranges, 0, "", true), "to ");
  ranges.HasPut("m");
  EXPECT_EQ(Found(ranges, 0, ""), "to m");
  EXPECT_EQ(Found(ranges, 0, "m"), "none");
  EXPECT_EQ(Found(ranges, 0, std::string("m\0", 2)), "to ");
  EXPECT_EQ(Found(ranges, 0, "", true), "to " + std::string("m\0", 2));
  EXPECT_EQ(Found(ranges, 0, "m", true), "to ");
  Learn(&ranges, "", "");
  EXPECT_EQ(Found(ranges, 0, "m"), "to ");
}

TEST(EmptyRangesTest, ThoseThatTouchBecomeOne) {
  EmptyRanges ranges;
  ranges.Changing(1);
  Learn(&ranges, "b", "c");
  ranges.Changing(2);
  Learn(&ranges, "d", "e");
  EXPECT_EQ(Found(ranges, 2, "b"), "to c");
  ranges.Changing(3);
  Learn(&ranges, "c", "d");
  EXPECT_EQ(Found(ranges, 3, "b"), "to e");
  EXPECT_EQ(Found(ranges, 3, "e", true), "to b");
  // The merged range does not hold for a snapshot that one of its parts did not hold for.
  EXPECT_EQ(Found(ranges, 2, "b"), "too new");
  Learn(&ranges, "a", "z");
  EXPECT_EQ(Found(ranges, 3, "a"), "to z");
  Learn(&ranges, "c", "");
  EXPECT_EQ(Found(ranges, 3, "a"), "to ");
  Learn(&ranges, "", "b");
  EXPECT_EQ(Found(ranges, 3, "", true), "to ");
}

TEST(EmptyRangesTest, WhatIsPutWhileWatchingIsLeftOut) {
  EmptyRanges ranges;
  {
    const EmptyRanges::Watch watch(&ranges, "b", false);
    for (const char* key : {"a", "k", "g", "h"}) ranges.HasPut(key);
    ranges.Learn(watch, "b", "z");
  }
  EXPECT_EQ(Found(ranges, 0, "b"), "to g");
  EXPECT_EQ(Found(ranges, 0, "g"), "none");
  EXPECT_EQ(Found(ranges, 0, "i"), "none");
  {
    const EmptyRanges::Watch watch(&ranges, "z", true);
    for (const char* key : {"z", "k", "n", "l"}) ranges.HasPut(key);
    ranges.Learn(watch, "i", "z");
  }
  EXPECT_EQ(Found(ranges, 0, "z", true), "to " + std::string("n\0", 2));
  EXPECT_EQ(Found(ranges, 0, "j"), "none");
  {
    // The first key of the range itself is put.
    const EmptyRanges::Watch watch(&ranges, "r", false);
    ranges.HasPut("r");
    ranges.HasPut("q");
    ranges.Learn(watch, "r", "s");
  }
  EXPECT_EQ(Found(ranges, 0, "r"), "none");
}

TEST(EmptyRangesTest, OneSnapshotsOwn) {
  EmptyRanges ranges;
  ranges.LearnFor(7, "b", "d");
  EXPECT_EQ(Found(ranges, 7, "c"), "this to d");
  EXPECT_EQ(Found(ranges, 8, "c"), "none");
  // A snapshot does not see what is put after it.
  ranges.HasPut("c");
  EXPECT_EQ(Found(ranges, 7, "c"), "this to d");
  // Ranges of newer snapshots replace those of the oldest.
  for (uint64_t snapshot = 8; snapshot < 100; ++snapshot) ranges.LearnFor(snapshot, "b", "c");
  EXPECT_EQ(Found(ranges, 7, "b"), "none");
  EXPECT_EQ(Found(ranges, 99, "b"), "this to c");
}

TEST(EmptyRangesTest, AreBounded) {
  EmptyRanges ranges;
  for (uint64_t i = 0; i < 5000; ++i) Learn(&ranges, Key(2 * i), Key(2 * i + 1));
  EXPECT_LE(ranges.MemoryBytes(), 100 << 10);
  EXPECT_EQ(Found(ranges, 0, Key(9998)), "to " + Key(9999));
  // Memory is bounded however long the keys are.
  for (uint64_t i = 0; i < 5000; ++i) {
    const std::string key = Key(2 * i) + std::string(60000, 'k');
    Learn(&ranges, key, key + "k");
    ranges.LearnFor(i, key, key + "k");
  }
  EXPECT_LE(ranges.MemoryBytes(), 1 << 20);
  // One range is cut again and again.
  Learn(&ranges, "", "");
  for (uint64_t i = 0; i < 5000; ++i) ranges.HasPut(Key(i));
  EXPECT_LE(ranges.MemoryBytes(), 512 << 10);
}

// Keys come and go; every range that Find reports must really be empty.
TEST(EmptyRangesTest, NeverHideAKey) {
  std::mt19937_64 random(4);
  EmptyRanges ranges;
  std::set<std::string> keys;
  uint64_t found = 0;
  for (uint64_t i = 1; i < 60000; ++i) {
    const std::string key = Key(random() % 10000);
    ranges.Changing(i);
    if (random() % 3 == 0) {
      keys.insert(key);
      ranges.HasPut(key);
    } else {
      keys.erase(keys.lower_bound(key), keys.lower_bound(key + "9"));
    }
    if (random() % 4 == 0) {
      // Learns the range from one key to the next, or to the end.
      const auto next = keys.lower_bound(key);
      const auto before = next == keys.begin() ? keys.end() : std::prev(next);
      const bool reverse = random() % 2 == 0;
      const EmptyRanges::Watch watch(&ranges, reverse ? "" : key, reverse);
      if (reverse) {
        ranges.Learn(watch, before == keys.end() ? "" : *before + '\0', key);
      } else {
        ranges.Learn(watch, key, next == keys.end() ? "" : *next);
      }
    }
    const std::string at = Key(random() % 10000);
    std::string end;
    if (ranges.Find(i, at, false, &end) == Kind::kForLater) {
      ++found;
      const auto hidden = keys.lower_bound(at);
      ASSERT_TRUE(hidden == keys.end() || (!end.empty() && *hidden >= end)) << at << " to " << end;
    }
    if (ranges.Find(i, at, true, &end) == Kind::kForLater) {
      ++found;
      const auto behind = keys.lower_bound(at);
      ASSERT_TRUE(behind == keys.begin() || *std::prev(behind) < end) << at << " down to " << end;
    }
  }
  EXPECT_GT(found, 10000u);
}

}  // namespace
}  // namespace rumcask
