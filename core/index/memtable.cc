#include "core/index/memtable.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace rumcask {
namespace {

constexpr size_t kLeastWords = 4096 / sizeof(uint64_t);
// A gigabyte: of a buffer of 64.
constexpr size_t kMostWords = (size_t{1} << 30) / sizeof(uint64_t);

}  // namespace

KeyFilter::KeyFilter(uint64_t bits) : count_(kLeastWords) {
  static_assert(sizeof(std::atomic<uint64_t>) == sizeof(uint64_t), "zeros are zeros");
  while (count_ < kMostWords && count_ * 64 < bits) count_ *= 2;
  // Pages that were never touched are no memory. Where addresses are limited, a smaller one does.
  void* mapped = MAP_FAILED;
  for (;; count_ /= 2) {
    mapped = ::mmap(nullptr, count_ * sizeof(uint64_t), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped != MAP_FAILED) break;
    if (count_ == kLeastWords) throw std::bad_alloc();
  }
  words_ = static_cast<std::atomic<uint64_t>*>(mapped);
}

KeyFilter::~KeyFilter() { ::munmap(static_cast<void*>(words_), count_ * sizeof(uint64_t)); }

}  // namespace rumcask
