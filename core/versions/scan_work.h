// Counts what scans cost.

#ifndef RUMCASK_CORE_VERSIONS_SCAN_WORK_H_
#define RUMCASK_CORE_VERSIONS_SCAN_WORK_H_

#include <cstdint>

namespace rumcask {

// The work that scans and walks of the calling thread have done so far, for tests and benchmarks: a
// bound on it holds on any machine. For a hash table, a step is one group of shards or one shard.
struct ScanWork {
  uint64_t steps = 0;    // entries examined, including deletes and replaced versions
  uint64_t fetches = 0;  // blocks fetched
};

inline ScanWork& ThreadScanWork() {
  thread_local ScanWork work;
  return work;
}

}  // namespace rumcask

#endif  // RUMCASK_CORE_VERSIONS_SCAN_WORK_H_
