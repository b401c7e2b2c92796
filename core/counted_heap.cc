#include "core/counted_heap.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "core/counted_allocator.h"

namespace {

std::atomic<uint64_t> bytes{0};

// In front of each block, for its size.
constexpr size_t kHeader = alignof(std::max_align_t);

}  // namespace

namespace rumcask {

uint64_t CountedHeap::Bytes() { return bytes.load(std::memory_order_relaxed); }

}  // namespace rumcask

void* operator new(size_t size) {
  void* const block = std::malloc(kHeader + size);
  if (block == nullptr) throw std::bad_alloc();
  *static_cast<size_t*>(block) = size;
  bytes.fetch_add(rumcask::HeapBlockBytes(size), std::memory_order_relaxed);
  return static_cast<char*>(block) + kHeader;
}

void operator delete(void* pointer) noexcept {
  if (pointer == nullptr) return;
  void* const block = static_cast<char*>(pointer) - kHeader;
  bytes.fetch_sub(rumcask::HeapBlockBytes(*static_cast<size_t*>(block)), std::memory_order_relaxed);
  std::free(block);
}

void operator delete(void* pointer, size_t /*size*/) noexcept { operator delete(pointer); }
