// The heap memory of the test that links this: operator new counts it.

#ifndef RUMCASK_CORE_COUNTED_HEAP_H_
#define RUMCASK_CORE_COUNTED_HEAP_H_

#include <cstdint>

namespace rumcask {

class CountedHeap {
 public:
  // What the blocks that are in use take; see HeapBlockBytes. Blocks of a greater alignment than
  // malloc's are not counted.
  static uint64_t Bytes();
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_COUNTED_HEAP_H_
