// What one benchmark does to a store, whatever store it is.

#ifndef RUMCASK_TOOLS_BENCH_WORKLOAD_H_
#define RUMCASK_TOOLS_BENCH_WORKLOAD_H_

#include <cstdint>
#include <string>

#include "tools/bench/zipf.h"

namespace rumcask::bench {

// Which key comes next.
enum class KeyOrder {
  kSequential,  // 0, 1, 2, ...
  kPermuted,    // each once, in random order
  kUniform,
  kZipfian,  // a few popular keys, scattered
  kLatest,   // those inserted last are popular
};

// db_bench's benchmarks and YCSB's workloads both come down to this.
struct Workload {
  enum class Action {
    kOperations,  // the mix below
    kReadAll,     // one walk through all keys by each thread
    // By one thread: read the first key that a cursor gives, remove it, and put a new one behind
    // all; in the end remove them all.
    kQueue,
    kCompact,
    kOpen,  // close and open again
    // Close; open in a process that does the operations and ends without closing; open again.
    kOpenUnclean,
  };

  std::string name;
  Action action = Action::kOperations;

  // Start with an empty store.
  bool fresh = false;
  // Keys present before, numbered from 0: what the order draws from. Inserts add to them.
  uint64_t keys = 0;
  // Of all threads together.
  uint64_t operations = 0;
  // If not 0, go on for so long instead.
  double seconds = 0;

  // Shares of the operations; they add up to 1.
  double reads = 0;
  double missing_reads = 0;
  double updates = 0;
  double inserts = 0;
  double scans = 0;
  double read_modify_writes = 0;
  double deletes = 0;

  KeyOrder order = KeyOrder::kUniform;
  double theta = Zipf::kTheta;
  // Keys are scattered instead of ordered like their numbers.
  bool hashed_keys = false;
  // So many reads or writes in one call; 1 for single ones.
  uint64_t batch = 1;
  // A scan seeks and reads a number of entries, uniform from the first to the second.
  uint64_t min_scan_length = 0;
  uint64_t max_scan_length = 0;

  // Writes survive a power cut before they return.
  bool sync = false;

  // Snapshots that each thread takes and lets go of between its calls; that counts as part of them.
  struct Snapshots {
    // One call in so many gets one that ends with it. 0: none.
    uint64_t brief_each = 0;
    // One call in so many gets one that is held on to. 0: none.
    uint64_t long_each = 0;
    // Held at a time in the first half of the calls, the oldest being let go of; in the second half
    // all are held.
    uint64_t held = 0;
  };
  Snapshots snapshots;

  // One more thread overwrites keys as long as the others go on, so many a second (0: as fast as it
  // can). It is not counted.
  bool writer_beside = false;
  double writer_rate = 0;

  bool TakesSnapshots() const { return snapshots.brief_each + snapshots.long_each > 0; }
  bool Writes() const {
    return updates + inserts + read_modify_writes + deletes > 0 || writer_beside ||
           action == Action::kQueue;
  }
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_WORKLOAD_H_
