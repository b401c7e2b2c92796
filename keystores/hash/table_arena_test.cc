#include "keystores/hash/table_arena.h"

#include <sys/mman.h>
#include <unistd.h>

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

// The size of a table of 2^order buckets.
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

// Blocks freed in any order merge again: the largest block fits where the small ones were.
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

// How many of the pages that hold the blocks are in memory.
size_t ResidentPages(const std::vector<void*>& blocks, size_t bytes) {
  const auto page_bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  size_t resident = 0;
  for (void* const block : blocks) {
    std::vector<unsigned char> pages(bytes / page_bytes);
    // If the block is not even mapped, nothing of it is in memory.
    if (::mincore(block, bytes, pages.data()) != 0) continue;
    for (const unsigned char page : pages) resident += page & 1;
  }
  return resident;
}

TEST(TableArena, GivesBackWhatShrinkingTablesLeave) {
  constexpr int kOrder = 8;
  constexpr size_t kBytes = TableArena::kUnit << kOrder;
  TableArena arena;
  std::vector<void*> blocks;
  // Allocates three chunks.
  for (size_t i = 0; i < 3 * TableArena::kChunkBytes / kBytes; ++i) {
    blocks.push_back(arena.Allocate(kBytes));
    memset(blocks.back(), 1, kBytes);
  }
  std::shuffle(blocks.begin(), blocks.end(), std::mt19937_64(5));
  const std::vector<void*> all = blocks;
  const size_t full = ResidentPages(all, kBytes);
  EXPECT_GE(full, 3 * TableArena::kChunkBytes / 4096);
  // What tables leave when they grow is kept for the next ones.
  for (void* const block : blocks) arena.Free(block, kBytes);
  EXPECT_EQ(ResidentPages(all, kBytes), full);
  for (void*& block : blocks) block = arena.Allocate(kBytes);
  EXPECT_EQ(ResidentPages(all, kBytes), full);
  // Each table shrinks to a sixteenth.
  std::vector<void*> small;
  for (void* const block : blocks) {
    small.push_back(arena.AllocateLow(kBytes / 16));
    memset(small.back(), 2, kBytes / 16);
    arena.Free(block, kBytes);
    arena.NoteShrunk(kBytes - kBytes / 16);
  }
  EXPECT_LE(ResidentPages(all, kBytes), full / 5);
  for (void* const block : small) {
    EXPECT_EQ(*static_cast<unsigned char*>(block), 2);
    arena.Free(block, kBytes / 16);
    arena.NoteShrunk(kBytes / 16);
  }
  EXPECT_LE(ResidentPages(all, kBytes), full / 20);
  // The memory can be used again.
  for (void*& block : blocks) {
    block = arena.Allocate(kBytes);
    memset(block, 3, kBytes);
  }
  for (void* const block : blocks) {
    EXPECT_EQ(static_cast<unsigned char*>(block)[kBytes - 1], 3);
    arena.Free(block, kBytes);
  }
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
