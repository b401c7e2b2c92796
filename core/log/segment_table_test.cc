#include "core/log/segment_table.h"

#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#include "core/system/reader_epoch.h"

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

TEST(SegmentTableTest, ManyMoreSegmentsThanSlots) {
  constexpr uint64_t kLive = 1000;
  SegmentTable table;
  uint64_t id = 0;
  for (; id < kLive; ++id) table.Add(MakeSegment(id + 1, *table.Reserve()));
  for (; id < 3 * uint64_t{Location::kMaxSlots}; ++id) {
    table.Remove(*table.Find(id + 1 - kLive));
    const std::optional<uint32_t> slot = table.Reserve();
    ASSERT_TRUE(slot.has_value()) << id;
    table.Add(MakeSegment(id + 1, *slot));
  }
  std::set<uint32_t> slots;
  for (const auto& segment : table.All()) {
    EXPECT_TRUE(slots.insert(segment->slot()).second);
    EXPECT_EQ(table.Get(segment->slot()), segment.get());
    EXPECT_EQ(table.SlotOf(segment->id()), std::optional<uint32_t>(segment->slot()));
  }
  EXPECT_EQ(slots.size(), kLive);
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
