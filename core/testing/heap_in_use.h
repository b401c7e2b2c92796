// Measures the heap memory of a test.

#ifndef RUMCASK_CORE_TESTING_HEAP_IN_USE_H_
#define RUMCASK_CORE_TESTING_HEAP_IN_USE_H_

#include <malloc.h>

#include <cstdint>

// Sanitizers bring their own malloc, which does not keep these counts.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RUMCASK_HEAP_NOT_COUNTED
#endif
#endif

#ifndef RUMCASK_HEAP_NOT_COUNTED
namespace rumcask {

// Bytes of the blocks in use, as malloc counts them. This includes malloc's overhead and a few
// freed blocks that it keeps for reuse.
inline uint64_t HeapInUse() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

}  // namespace rumcask
#endif

#endif  // RUMCASK_CORE_TESTING_HEAP_IN_USE_H_
