// An allocator that counts what its containers take from the heap.

#ifndef RUMCASK_CORE_VERSIONS_COUNTED_ALLOCATOR_H_
#define RUMCASK_CORE_VERSIONS_COUNTED_ALLOCATOR_H_

#include "rumcask/require_cxx17.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace rumcask {

// Heap bytes of a block of `bytes`: malloc puts one word in front of it, works in steps of two
// words, and gives no block of fewer than four.
constexpr uint64_t HeapBlockBytes(size_t bytes) {
  constexpr size_t kWord = sizeof(void*);
  return std::max(4 * kWord, (bytes + 3 * kWord - 1) / (2 * kWord) * (2 * kWord));
}

// Like std::allocator, but adds HeapBlockBytes of each block to a counter and subtracts it when the
// block is freed. The counter must outlive the containers.
template <typename T>
class CountedAllocator {
 public:
  // As the standard library asks of an allocator, like the functions below.
  using value_type = T;

  // `bytes` is the counter.
  explicit CountedAllocator(std::atomic<uint64_t>* bytes) : bytes_(bytes) {}
  // Counts where `other` does.
  template <typename U>
  CountedAllocator(const CountedAllocator<U>& other) : bytes_(other.bytes()) {}  // NOLINT: implicit

  // These allocate and free a block for `n` objects.
  T* allocate(size_t n) {
    T* const block = std::allocator<T>().allocate(n);
    bytes_->fetch_add(BytesOf(n), std::memory_order_relaxed);
    return block;
  }
  void deallocate(T* block, size_t n) {
    bytes_->fetch_sub(BytesOf(n), std::memory_order_relaxed);
    std::allocator<T>().deallocate(block, n);
  }

  // The counter.
  std::atomic<uint64_t>* bytes() const { return bytes_; }

  // Each compares the counters.
  template <typename U>
  friend bool operator==(const CountedAllocator& a, const CountedAllocator<U>& b) {
    return a.bytes() == b.bytes();
  }
  template <typename U>
  friend bool operator!=(const CountedAllocator& a, const CountedAllocator<U>& b) {
    return !(a == b);
  }

 private:
  static uint64_t BytesOf(size_t n) {
    // T may well be a pointer.
    return HeapBlockBytes(n * sizeof(T));  // NOLINT(bugprone-sizeof-expression)
  }

  std::atomic<uint64_t>* bytes_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_VERSIONS_COUNTED_ALLOCATOR_H_
