#include "keystores/hash/table_arena.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace rumcask {
namespace {

// What a table of 2^order buckets asks for.
size_t TableBytes(int order) { return TableArena::kUnit << order; }

TEST(TableArena, BlocksAreAlignedAndDoNotOverlap) {
  TableArena arena;
  std::mt19937_64 random(3);
  std::map<uintptr_t, std::pair<size_t, unsigned char>> live;
  for (int step = 0; step < 20000; ++step) {
    if (live.size() > 300 || (!live.empty() && random() % 3 == 0)) {
      auto it = live.lower_bound(random() % (uintptr_t{1} << 47));
      if (it == live.end()) it = live.begin();
      const auto [bytes, pattern] = it->second;
      auto* const block = reinterpret_cast<unsigned char*>(it->first);
      ASSERT_EQ(block[0], pattern);
      ASSERT_EQ(block[bytes - 1], pattern);
      arena.Free(block, bytes);
      live.erase(it);
      continue;
    }
    const size_t bytes = TableBytes(1 + static_cast<int>(random() % 14));
    const auto pattern = static_cast<unsigned char>(random());
    auto* const block = static_cast<unsigned char*>(arena.Allocate(bytes));
    const auto address = reinterpret_cast<uintptr_t>(block);
    ASSERT_EQ(address % 64, 0u);
    const auto next = live.lower_bound(address);
    if (next != live.end()) {
      ASSERT_LE(address + bytes, next->first);
    }
    if (next != live.begin()) {
      const auto before = std::prev(next);
      ASSERT_LE(before->first + before->second.first, address);
    }
    memset(block, pattern, bytes);
    live[address] = {bytes, pattern};
  }
  for (const auto& [address, block] : live) {
    arena.Free(reinterpret_cast<void*>(address), block.first);
  }
}

// What is freed in any order becomes whole again: the largest block fits where the small ones were.
TEST(TableArena, BuddiesMerge) {
  TableArena arena;
  constexpr int kOrder = 10;
  std::vector<void*> blocks;
  std::set<void*> places;
  for (int i = 0; i < 1 << (TableArena::kMaxOrder - kOrder); ++i) {
    blocks.push_back(arena.Allocate(TableBytes(kOrder)));
    places.insert(blocks.back());
  }
  std::shuffle(blocks.begin(), blocks.end(), std::mt19937_64(5));
  for (void* const block : blocks) arena.Free(block, TableBytes(kOrder));
  void* const whole = arena.Allocate(TableBytes(TableArena::kMaxOrder));
  EXPECT_EQ(whole, *places.begin());
  arena.Free(whole, TableBytes(TableArena::kMaxOrder));
}

TEST(TableArena, TakesRequestsBeyondItsOrders) {
  TableArena arena;
  for (const size_t bytes : {size_t{1}, size_t{40}, TableArena::kChunkBytes + 1}) {
    void* const block = arena.Allocate(bytes);
    memset(block, 1, bytes);
    arena.Free(block, bytes);
  }
}

TEST(TableArena, IsThreadSafe) {
  TableArena arena;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&arena, t] {
      std::mt19937_64 random(t);
      std::vector<std::pair<void*, size_t>> blocks;
      for (int i = 0; i < 5000; ++i) {
        const size_t bytes = TableBytes(3 + static_cast<int>(random() % 8));
        blocks.emplace_back(arena.Allocate(bytes), bytes);
        memset(blocks.back().first, t, bytes);
        if (random() % 2 == 0) {
          std::swap(blocks[random() % blocks.size()], blocks.back());
          const auto [block, size] = blocks.back();
          ASSERT_EQ(static_cast<unsigned char*>(block)[size - 1], t);
          arena.Free(block, size);
          blocks.pop_back();
        }
      }
      for (const auto& [block, size] : blocks) arena.Free(block, size);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace rumcask
