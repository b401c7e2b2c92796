#include "keystores/hash/table_arena.h"

#include <sys/mman.h>

#include <iterator>
#include <new>

namespace rumcask {
namespace {

// From here on the tables are larger than what the processor's TLB reaches, and a huge page that is
// not full yet is small beside them.
constexpr size_t kHugePagesFromChunks = 2;

constexpr size_t kHugePage = size_t{2} << 20;

// The order of the smallest block that holds `bytes`.
int OrderOf(size_t bytes) {
  int order = 0;
  while ((TableArena::kUnit << order) < bytes) ++order;
  return order;
}

}  // namespace

TableArena::~TableArena() {
  for (const Address chunk : chunks_) munmap(reinterpret_cast<void*>(chunk), kChunkBytes);
}

void* TableArena::Allocate(size_t bytes) {
  const int order = OrderOf(bytes);
  if (order > kMaxOrder) return ::operator new (bytes, std::align_val_t{kUnit});
  MutexLock lock(mutex_);
  return reinterpret_cast<void*>(TakeBlock(order));
}

void TableArena::Free(void* block, size_t bytes) {
  int order = OrderOf(bytes);
  if (order > kMaxOrder) return ::operator delete (block, std::align_val_t{kUnit});
  MutexLock lock(mutex_);
  Address address = reinterpret_cast<Address>(block);
  const Address chunk = ChunkOf(address);
  for (; order < kMaxOrder; ++order) {
    const size_t size = kUnit << order;
    const size_t index = (address - chunk) / size;
    const Address buddy = chunk + (index ^ 1) * size;
    if (free_[order].erase(buddy) == 0) break;
    if (buddy < address) address = buddy;
  }
  free_[order].insert(address);
}

TableArena::Address TableArena::TakeBlock(int order) {
  int from = order;
  while (from <= kMaxOrder && free_[from].empty()) ++from;
  Address block;
  if (from > kMaxOrder) {
    from = kMaxOrder;
    block = NewChunk();
  } else {
    block = *free_[from].begin();
    free_[from].erase(free_[from].begin());
  }
  // What is too much goes back in halves.
  while (from > order) {
    --from;
    free_[from].insert(block + (kUnit << from));
  }
  return block;
}

TableArena::Address TableArena::NewChunk() {
  // More than a chunk is mapped and the rest given back, so that huge pages fit.
  const size_t mapped = kChunkBytes + kHugePage;
  void* const start =
      mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) throw std::bad_alloc();
  const Address begin = reinterpret_cast<Address>(start);
  const Address chunk = (begin + kHugePage - 1) & ~Address{kHugePage - 1};
  if (chunk > begin) munmap(start, chunk - begin);
  munmap(reinterpret_cast<void*>(chunk + kChunkBytes), begin + mapped - chunk - kChunkBytes);
  if (chunks_.size() >= kHugePagesFromChunks) {
    (void)madvise(reinterpret_cast<void*>(chunk), kChunkBytes, MADV_HUGEPAGE);
  }
  return *chunks_.insert(chunk).first;
}

TableArena::Address TableArena::ChunkOf(Address block) const {
  return *std::prev(chunks_.upper_bound(block));
}

}  // namespace rumcask
