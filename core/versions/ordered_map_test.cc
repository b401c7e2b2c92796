#include "core/versions/ordered_map.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace rumcask {
namespace {

using Map = std::map<std::string, uint64_t>;

Location PlaceOf(uint64_t sequence) { return Location::Make(0, sequence * 8, 64); }

std::string Key(uint64_t i) {
  std::string key = std::to_string(1000000 + i);
  // Keys of all lengths, some of them on the heap.
  return key + std::string(i % 30, 'k');
}

class OrderedMapTest : public testing::TestWithParam<OrderedMap::Deletes> {
 protected:
  void Put(const std::string& key) {
    ++sequence_;
    const Location before = buffer_.Set(key, PlaceOf(sequence_), sequence_);
    EXPECT_EQ(before.exists(), live_.count(key) == 1);
    live_[key] = sequence_;
    dead_.erase(key);
  }
  void Delete(const std::string& key) {
    ++sequence_;
    (void)buffer_.Set(key, Location(), sequence_);
    live_.erase(key);
    if (GetParam() == OrderedMap::Deletes::kKeep) dead_[key] = sequence_;
  }

  // The expected entries by key; deletes have sequence 0.
  Map Entries() const {
    Map entries = live_;
    for (const auto& [key, sequence] : dead_) entries[key] = 0;
    return entries;
  }

  static void Compare(const OrderedMap& buffer, const KeyRange& range, size_t limit,
                      const Map& entries) {
    std::vector<std::pair<std::string, uint64_t>> expected;
    for (const auto& [key, sequence] : entries) {
      if (key < range.lower || (range.after_lower && key == range.lower)) continue;
      if (range.upper.empty() || key < range.upper) expected.emplace_back(key, sequence);
    }
    if (range.reverse) std::reverse(expected.begin(), expected.end());
    if (expected.size() > limit) expected.resize(limit);
    KeyBlock block;
    block.Add("has to go", PlaceOf(1), 1);
    buffer.Scan(range, limit, &block);
    ASSERT_EQ(block.size(), expected.size())
        << range.lower << " to " << range.upper << (range.reverse ? " reverse" : "");
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(block.key(i), expected[i].first);
      ASSERT_EQ(block.location(i).exists(), expected[i].second != 0);
      if (expected[i].second == 0) continue;
      ASSERT_EQ(block.sequence(i), expected[i].second);
    }
  }

  void CompareAll(std::mt19937_64* random) {
    const Map entries = Entries();
    ASSERT_EQ(buffer_.size(), entries.size());
    for (const auto& [key, sequence] : entries) {
      KeyVersion version;
      ASSERT_TRUE(buffer_.Get(key, &version)) << key;
      ASSERT_EQ(version.location.exists(), sequence != 0);
    }
    for (const bool reverse : {false, true}) {
      Compare(buffer_, {{}, {}, false, reverse}, 1000000, entries);
      for (int n = 0; n < 50; ++n) {
        const std::string lower = (*random)() % 4 == 0 ? "" : Key((*random)() % 6000);
        const std::string upper = (*random)() % 4 == 0 ? "" : Key((*random)() % 6000);
        const size_t limit = std::vector<size_t>{0, 1, 63, 64, 65, 700, 5000}[(*random)() % 7];
        Compare(buffer_, {lower, upper, (*random)() % 2 == 0, reverse}, limit, entries);
        if (HasFatalFailure()) return;
      }
    }
  }

  PastVersions past_{{1 << 20, false}};
  EmptyRanges empty_;
  OrderedMap buffer_{GetParam(), &past_, &empty_};
  uint64_t sequence_ = 0;
  Map live_;
  Map dead_;
};

// A map that forgets deleted keys.
class ForgetfulOrderedMapTest : public OrderedMapTest {};

INSTANTIATE_TEST_SUITE_P(Deletes, OrderedMapTest,
                         testing::Values(OrderedMap::Deletes::kForget, OrderedMap::Deletes::kKeep));

INSTANTIATE_TEST_SUITE_P(Deletes, ForgetfulOrderedMapTest,
                         testing::Values(OrderedMap::Deletes::kForget));

// Goes through many parts that are split and emptied.
TEST_P(OrderedMapTest, IsAMap) {
  std::mt19937_64 random(1);
  CompareAll(&random);
  for (int i = 0; i < 12000; ++i) Put(Key(random() % 6000));
  CompareAll(&random);
  for (int i = 0; i < 6000; ++i) Delete(Key(random() % 6000));
  CompareAll(&random);
  for (int i = 0; i < 3000; ++i) Delete(Key(i));
  CompareAll(&random);
  for (int i = 6000; i > 0; --i) Delete(Key(i - 1));
  CompareAll(&random);
  for (int i = 0; i < 3000; ++i) Put(Key(random() % 6000));
  CompareAll(&random);
}

TEST_P(OrderedMapTest, KeysInOrder) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 3000; ++i) Put(Key(i));
  CompareAll(&random);
  for (int i = 6000; i > 3000; --i) Put(Key(i - 1));
  CompareAll(&random);
}

// The keys of a queue are added at the end and removed at the head. Empty parts must be removed, or
// a scan would have to step over them.
TEST_P(ForgetfulOrderedMapTest, AQueueTakesNoMoreMemory) {
  constexpr int kLive = 2000;
  for (int i = 0; i < kLive; ++i) Put(Key(i));
  const uint64_t before = buffer_.MemoryBytes();
  for (int i = 0; i < 100000; ++i) {
    Delete(Key(i));
    Put(Key(kLive + i));
  }
  EXPECT_LE(buffer_.MemoryBytes(), 2 * before);
  EXPECT_EQ(buffer_.size(), live_.size());
}

// Beside a writer that splits and removes parts, readers always find the keys that stay.
TEST_P(OrderedMapTest, ReadersBesideTheWriter) {
  constexpr uint64_t kStays = 4000;
  for (uint64_t i = 0; i < kStays; ++i) Put(Key(2 * i));
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::atomic<uint64_t> reads{0};
  std::vector<std::thread> readers;
  for (uint64_t t = 0; t < 3; ++t) {
    readers.emplace_back([&, t] {
      std::mt19937_64 random(t);
      while (!stop) {
        KeyVersion version;
        const uint64_t i = random() % kStays;
        if (!buffer_.Get(Key(2 * i), &version) || !version.location.exists()) ++wrong;
        KeyBlock block;
        const std::string from = Key(2 * i);
        const bool reverse = random() % 2 == 0;
        KeyRange range;
        (reverse ? range.upper : range.lower) = from;
        range.reverse = reverse;
        buffer_.Scan(range, 200, &block);
        // In order, and none of the keys that stay is missing.
        uint64_t expected = reverse ? 2 * i - 2 : 2 * i;
        for (size_t k = 0; k < block.size(); ++k) {
          if (k > 0 && (block.key(k) > block.key(k - 1)) == reverse) ++wrong;
          const uint64_t number = std::stoull(std::string(block.key(k).substr(0, 7))) - 1000000;
          if (number % 2 == 1 || number >= 2 * kStays) continue;
          if (number != expected) ++wrong;
          expected = reverse ? number - 2 : number + 2;
        }
        ++reads;
      }
    });
  }
  std::mt19937_64 random(7);
  for (int round = 0; round < 4 || reads < 100; ++round) {
    for (uint64_t i = 0; i < 10000; ++i) Put(Key(2 * (random() % (2 * kStays)) + 1));
    for (uint64_t i = 0; i < 2 * kStays; ++i) Delete(Key(2 * i + 1));
    for (uint64_t i = 0; i < 3000; ++i) Put(Key(2 * kStays + i));
    for (uint64_t i = 0; i < 3000; ++i) Delete(Key(2 * kStays + i));
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace rumcask
