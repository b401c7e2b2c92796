#include "core/log/segment_table.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "core/system/reader_epoch.h"
#include "core/testing/heap_in_use.h"

namespace rumcask {
namespace {

std::shared_ptr<Segment> MakeSegment(uint64_t id, uint32_t slot) {
  return std::make_shared<Segment>(id, slot, Stream::kUser, /*seed=*/0);
}

TEST(SegmentTableTest, ASlotThatIsReservedIsNobodyElses) {
  SegmentTable table;
  const uint32_t prepared = *table.Reserve();
  const uint32_t other = *table.Reserve();
  EXPECT_NE(prepared, other);
  // The segment that was made first is added last.
  table.Add(MakeSegment(8, other));
  table.Add(MakeSegment(7, prepared));
  EXPECT_EQ(table.Get(prepared)->id(), 7u);
  EXPECT_EQ(table.Get(other)->id(), 8u);
  ASSERT_EQ(table.All().size(), 2u);
  EXPECT_EQ(table.All()[0]->id(), 7u);
  EXPECT_EQ(table.All()[1]->id(), 8u);
}

TEST(SegmentTableTest, WhatIsRemovedIsNotFoundAndItsSlotIsFree) {
  SegmentTable table;
  for (uint64_t id = 1; id <= 3; ++id) table.Add(MakeSegment(id, *table.Reserve()));
  const std::shared_ptr<Segment> second = table.Find(2);
  ASSERT_NE(second, nullptr);
  table.Remove(*second);
  EXPECT_EQ(table.Find(2), nullptr);
  EXPECT_FALSE(table.SlotOf(2).has_value());
  EXPECT_EQ(table.Get(second->slot()), nullptr);
  EXPECT_EQ(table.All().size(), 2u);
  EXPECT_EQ(table.Reserve(), std::optional<uint32_t>(second->slot()));
  EXPECT_EQ(table.Reserve(), std::optional<uint32_t>(3));
  table.Release(3);
  EXPECT_EQ(table.Reserve(), std::optional<uint32_t>(3));
}

// Three times as many segments as there are slots, born and retired in any order. Before each birth
// every slot that is free leads nowhere, and at the end the table takes what it took at first.
TEST(SegmentTableTest, ManyMoreSegmentsThanSlots) {
  // Of several chunks.
  constexpr uint64_t kLive = 3000;
  constexpr uint64_t kAll = 3 * uint64_t{Location::kMaxSlots};
  SegmentTable table;
  std::mt19937_64 random(1);
  // What there must be: the ids that live, in no order, and the id in each slot, 0 if it is free.
  std::vector<uint64_t> live;
  std::vector<uint64_t> id_in_slot(kLive);
  std::vector<uint64_t> uses(kLive);
  const auto add = [&](uint64_t id) {
    const std::optional<uint32_t> slot = table.Reserve();
    ASSERT_TRUE(slot.has_value()) << id;
    // So a free one was taken, if there was any.
    ASSERT_LT(*slot, kLive) << id;
    ASSERT_EQ(id_in_slot[*slot], 0u) << id;
    table.Add(MakeSegment(id, *slot));
    id_in_slot[*slot] = id;
    ++uses[*slot];
  };
  const auto expect_agreement = [&] {
    std::set<uint64_t> ids;
    for (uint32_t slot = 0; slot < kLive; ++slot) {
      const Segment* const segment = table.Get(slot);
      ASSERT_EQ(segment == nullptr ? 0 : segment->id(), id_in_slot[slot]) << slot;
      if (segment == nullptr) continue;
      ids.insert(segment->id());
      ASSERT_EQ(table.SlotOf(segment->id()), std::optional<uint32_t>(slot));
    }
    ASSERT_EQ(ids, std::set<uint64_t>(live.begin(), live.end()));
    std::vector<uint64_t> listed;
    for (const auto& segment : table.All()) listed.push_back(segment->id());
    ASSERT_EQ(listed, std::vector<uint64_t>(ids.begin(), ids.end()));
  };
  for (uint64_t id = 1; id <= kLive; ++id) {
    live.push_back(id);
    ASSERT_NO_FATAL_FAILURE(add(id));
  }
#ifndef RUMCASK_HEAP_NOT_COUNTED
  constexpr uint64_t kAtFirst = kAll / 100;
  uint64_t memory = 0;
#endif
  // As compaction retires them: some at once.
  for (uint64_t id = kLive + 1; id <= kAll;) {
    const size_t count = 1 + random() % 16;
    for (size_t i = 0; i < count; ++i) {
      std::swap(live[random() % live.size()], live.back());
      const std::shared_ptr<Segment> victim = table.Find(live.back());
      ASSERT_NE(victim, nullptr) << live.back();
      live.pop_back();
      const uint32_t slot = victim->slot();
      ASSERT_EQ(table.Get(slot), victim.get());
      table.Remove(*victim);
      id_in_slot[slot] = 0;
      ASSERT_EQ(table.Get(slot), nullptr);
      ASSERT_EQ(table.Find(victim->id()), nullptr);
      ASSERT_FALSE(table.SlotOf(victim->id()).has_value());
      // The table kept nothing of it.
      ASSERT_EQ(victim.use_count(), 1);
    }
    if (random() % 10000 == 0) {
      ASSERT_NO_FATAL_FAILURE(expect_agreement());
    }
    for (size_t i = 0; i < count; ++i, ++id) {
      live.push_back(id);
      ASSERT_NO_FATAL_FAILURE(add(id));
    }
#ifndef RUMCASK_HEAP_NOT_COUNTED
    if (memory == 0 && id > kAtFirst) memory = HeapInUse();
#endif
  }
  expect_agreement();
  EXPECT_EQ(table.size(), kLive);
  // None is left unused for ever.
  EXPECT_GT(*std::min_element(uses.begin(), uses.end()), 1u);
#ifndef RUMCASK_HEAP_NOT_COUNTED
  EXPECT_GT(memory, 0u);
  EXPECT_LE(HeapInUse(), memory + memory / 8);
#endif
}

// Segments in slots of every chunk, up to the last: a location keeps its slot's highest bit.
TEST(SegmentTableTest, EverySlotLeadsToItsSegment) {
  constexpr uint32_t kStride = 509;
  SegmentTable table;
  for (uint32_t i = 0; i < Location::kMaxSlots; ++i) ASSERT_TRUE(table.Reserve().has_value());
  const auto is_used = [](uint32_t slot) {
    return slot % kStride == 0 || slot == Location::kMaxSlots - 1;
  };
  for (int round = 1; round <= 3; ++round) {
    const auto id_of = [round](uint32_t slot) {
      return uint64_t{Location::kMaxSlots} * static_cast<uint64_t>(round) + slot;
    };
    for (uint32_t slot = 0; slot < Location::kMaxSlots; ++slot) {
      if (is_used(slot)) table.Add(MakeSegment(id_of(slot), slot));
    }
    for (uint32_t slot = 0; slot < Location::kMaxSlots; ++slot) {
      const Segment* const segment = table.Get(Location::Make(slot, 128, 32).slot());
      ASSERT_EQ(segment == nullptr ? 0 : segment->id(), is_used(slot) ? id_of(slot) : 0) << slot;
    }
    for (uint32_t slot = 0; slot < Location::kMaxSlots; ++slot) {
      if (is_used(slot)) table.Remove(*table.Find(id_of(slot)));
    }
    EXPECT_EQ(table.size(), 0u);
    // Exactly those that were used are free.
    std::set<uint32_t> again;
    while (const std::optional<uint32_t> slot = table.Reserve()) {
      ASSERT_TRUE(is_used(*slot) && again.insert(*slot).second) << *slot;
    }
    ASSERT_EQ(again.size(), Location::kMaxSlots / kStride + 2);
  }
}

TEST(SegmentTableTest, TheSlotsHaveAnEnd) {
  SegmentTable table;
  for (uint32_t i = 0; i < Location::kMaxSlots; ++i) {
    ASSERT_EQ(table.Reserve(), std::optional<uint32_t>(i));
  }
  EXPECT_FALSE(table.Reserve().has_value());
  table.Release(17);
  EXPECT_EQ(table.Reserve(), std::optional<uint32_t>(17));
}

// One thread replaces the segment of a key by another one, again and again, as compaction does;
// the others look the location up under a lock and read the segment without it.
TEST(SegmentTableTest, ReadersBesideRemoval) {
  SegmentTable table;
  Mutex mutex;  // guards `slot`, as a keystore's guards a location
  uint32_t slot = *table.Reserve();
  table.Add(MakeSegment(1, slot));
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      uint64_t newest = 0;
      while (!done.load(std::memory_order_relaxed)) {
        const ReaderScope reading;
        uint32_t seen;
        {
          MutexLock lock(mutex);
          seen = slot;
        }
        const uint64_t id = table.Get(seen)->id();
        ASSERT_GE(id, newest);
        newest = id;
      }
    });
  }
  for (uint64_t id = 2; id < 3000; ++id) {
    const std::shared_ptr<Segment> old = table.Find(id - 1);
    const uint32_t next = *table.Reserve();
    table.Add(MakeSegment(id, next));
    {
      MutexLock lock(mutex);
      slot = next;
    }
    const uint64_t epoch = ReaderEpoch::Begin();
    while (!ReaderEpoch::HasPassed(epoch)) std::this_thread::yield();
    table.Remove(*old);
  }
  done.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(table.All().size(), 1u);
}

}  // namespace
}  // namespace rumcask
