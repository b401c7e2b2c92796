#include "keystores/hash/table_arena.h"

#include <sys/mman.h>

#include <iterator>
#include <new>
#include <utility>

namespace rumcask {
namespace {

// From here on, the tables exceed the reach of the processor's TLB, and a huge page that is not
// full yet is small in comparison.
constexpr size_t kHugePagesFromChunks = 2;

constexpr size_t kHugePage = size_t{2} << 20;

// Free blocks of this order (64 KiB) and above are given back to the system whenever tables have
// shrunk by kShrunkBytes in total; kGivenBackBytes at once take a fraction of a millisecond.
constexpr int kGivenBackOrder = 10;
constexpr size_t kShrunkBytes = size_t{1} << 20;
constexpr size_t kGivenBackBytes = size_t{16} << 20;

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
  return reinterpret_cast<void*>(TakeBlock(order, /*low=*/false));
}

void* TableArena::AllocateLow(size_t bytes) {
  const int order = OrderOf(bytes);
  if (order > kMaxOrder) return Allocate(bytes);
  MutexLock lock(mutex_);
  return reinterpret_cast<void*>(TakeBlock(order, /*low=*/true));
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
    if (!RemoveFree(buddy, order)) break;
    (void)EndResidence(buddy, order);
    if (buddy < address) address = buddy;
  }
  AddFree(address, order, /*resident=*/true);
}

bool TableArena::RemoveFree(Address block, int order) {
  const auto found = free_[order].find(block);
  if (found == free_[order].end()) return false;
  spare_node_ = free_[order].extract(found);
  return true;
}

void TableArena::AddFree(Address block, int order, bool resident) {
  if (spare_node_.empty()) {
    free_[order].insert(block);
  } else {
    spare_node_.value() = block;
    free_[order].insert(std::move(spare_node_));
  }
  if (resident && order >= kGivenBackOrder) resident_.emplace(block, order);
}

bool TableArena::EndResidence(Address block, int order) {
  return order < kGivenBackOrder || resident_.erase(block) > 0;
}

void TableArena::NoteShrunk(size_t bytes) {
  MutexLock lock(mutex_);
  shrunk_bytes_ += bytes;
  if (shrunk_bytes_ < kShrunkBytes) return;
  shrunk_bytes_ = 0;
  GiveBack();
}

void TableArena::GiveBack() {
  // The highest addresses first, because the lowest free ones are used next.
  for (size_t given_back = 0; given_back < kGivenBackBytes && !resident_.empty();) {
    const auto [block, order] = *std::prev(resident_.end());
    const size_t bytes = kUnit << order;
    if (order == kMaxOrder && chunks_.size() > 1) {
      (void)RemoveFree(block, order);
      resident_.erase(block);
      chunks_.erase(block);
      munmap(reinterpret_cast<void*>(block), bytes);
    } else {
      resident_.erase(block);
      (void)madvise(reinterpret_cast<void*>(block), bytes, MADV_DONTNEED);
    }
    given_back += bytes;
  }
}

TableArena::Address TableArena::TakeBlock(int order, bool low) {
  int from = kMaxOrder + 1;
  for (int each = order; each <= kMaxOrder; ++each) {
    if (free_[each].empty()) continue;
    if (from > kMaxOrder || *free_[each].begin() < *free_[from].begin()) from = each;
    if (!low) break;
  }
  Address block;
  bool resident = true;
  if (from > kMaxOrder) {
    from = kMaxOrder;
    block = NewChunk();
  } else {
    block = *free_[from].begin();
    (void)RemoveFree(block, from);
    resident = EndResidence(block, from);
  }
  // The excess is split off in halves.
  while (from > order) {
    --from;
    AddFree(block + (kUnit << from), from, resident);
  }
  return block;
}

TableArena::Address TableArena::NewChunk() {
  // Maps more than a chunk and unmaps the excess, so that the chunk is aligned for huge pages.
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
