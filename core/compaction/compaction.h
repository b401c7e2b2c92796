// What a compaction has done. Public.

#ifndef RUMCASK_CORE_COMPACTION_COMPACTION_H_
#define RUMCASK_CORE_COMPACTION_COMPACTION_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>

namespace rumcask {

// What one compaction has done: a job of those that the database runs by itself, or one call.
struct CompactionReport {
  // Segments that were removed, and bytes of their files.
  uint64_t retired_segments = 0;
  uint64_t retired_bytes = 0;
  // Live records that were copied, with the tombstones that must stay, and the bytes of the files
  // that they were copied to.
  uint64_t copied_records = 0;
  uint64_t written_bytes = 0;
  // Segments that hold nothing of the current state and wait: for snapshots, iterators, reads or
  // PinnedValues that need them, or for the index. Some later compaction removes them.
  uint64_t waiting_segments = 0;
  uint64_t waiting_bytes = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_COMPACTION_COMPACTION_H_
