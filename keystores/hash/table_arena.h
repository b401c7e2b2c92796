// Memory for the tables of one HashKeystore: a buddy allocator (Knowlton, "A fast storage
// allocator", 1965).
//
// Tables double in about the order in which they last doubled, so that the blocks they leave soon
// find their other half free and serve the next tables. Resident memory of 5 million keys in tables
// of 21 bytes a slot was 35.1 bytes a key so, 38.7 with malloc, 38.6 with first fit and 39.7 with
// best fit over extents that merge with any neighbour.
//
// What tables leave as they grow is kept for the next ones. What they leave as they shrink goes
// back to the system, 64 KiB or more in a piece; for that they move to the lowest addresses that
// are free, so that large pieces come about.

#ifndef RUMCASK_KEYSTORES_HASH_TABLE_ARENA_H_
#define RUMCASK_KEYSTORES_HASH_TABLE_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>

#include "core/system/mutex.h"

namespace rumcask {

// Thread-safe.
class TableArena {
 public:
  static constexpr size_t kUnit = 64;
  // Larger requests are left to malloc.
  static constexpr int kMaxOrder = 18;
  static constexpr size_t kChunkBytes = kUnit << kMaxOrder;

  TableArena() = default;
  ~TableArena();
  TableArena(const TableArena&) = delete;
  TableArena& operator=(const TableArena&) = delete;

  // Aligned to a line of cache. Never null: out of memory ends the program, as operator new does
  // here.
  void* Allocate(size_t bytes);
  void Free(void* block, size_t bytes);

  // As Allocate, for a table that shrinks.
  void* AllocateLow(size_t bytes);
  // A table has become so much smaller. Now and then gives free memory back, a bounded amount at
  // once.
  void NoteShrunk(size_t bytes);

 private:
  // An address within the chunks.
  using Address = uintptr_t;

  // Blocks of one size, lowest first, so that what is free gathers at one end.
  using Blocks = std::set<Address>;

  Address TakeBlock(int order, bool low) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether it was there.
  bool RemoveFree(Address block, int order) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddFree(Address block, int order, bool resident) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // To be called when it is free no more. Whether it may have been resident.
  bool EndResidence(Address block, int order) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveBack() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Address NewChunk() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The chunk that `block` is in.
  Address ChunkOf(Address block) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  Blocks free_[kMaxOrder + 1] ABSL_GUARDED_BY(mutex_);
  // Of a block that is free no more, for the next one: most calls take one and leave one.
  Blocks::node_type spare_node_ ABSL_GUARDED_BY(mutex_);
  std::set<Address> chunks_ ABSL_GUARDED_BY(mutex_);
  // The free blocks that are large enough to be given back and were not, with their order.
  std::map<Address, int> resident_ ABSL_GUARDED_BY(mutex_);
  size_t shrunk_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // since memory was given back
};

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_HASH_TABLE_ARENA_H_
