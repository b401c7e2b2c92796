// What scans cost, counted.

#ifndef RUMCASK_CORE_VERSIONS_SCAN_WORK_H_
#define RUMCASK_CORE_VERSIONS_SCAN_WORK_H_

#include <cstdint>

namespace rumcask {

// What the calling thread's scans and walks have done so far, for tests and benchmarks: a bound on
// it holds on any machine. Of a hash table, a step is a group of shards or a shard looked at.
struct ScanWork {
  uint64_t steps = 0;    // entries looked at, deletes and replaced versions included
  uint64_t fetches = 0;  // parts asked for
};

inline ScanWork& ThreadScanWork() {
  thread_local ScanWork work;
  return work;
}

}  // namespace rumcask

#endif  // RUMCASK_CORE_VERSIONS_SCAN_WORK_H_
