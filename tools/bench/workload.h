// What one benchmark does to a store, whichever store it is.

#ifndef RUMCASK_TOOLS_BENCH_WORKLOAD_H_
#define RUMCASK_TOOLS_BENCH_WORKLOAD_H_

#include <cstdint>
#include <string>

#include "tools/bench/zipf.h"

namespace rumcask::bench {

// How the next key is chosen.
enum class KeyOrder {
  kSequential,  // 0, 1, 2, ...
  kPermuted,    // each key once, in random order
  kUniform,
  kZipfian,  // a few keys are popular; they are scattered
  kLatest,   // the keys inserted last are popular
};

// All benchmarks of db_bench and workloads of YCSB can be expressed as this.
struct Workload {
  enum class Action {
    kOperations,  // the mix below
    kReadAll,     // each thread walks through all keys once
    // One thread takes turns: it reads the first key that a cursor gives, removes it, and puts a
    // new key after all others. At the end it removes all keys.
    kQueue,
    kCompact,
    kOpen,  // close and open again
    // Close the store, open it in a process that does the operations and ends without closing, and
    // open it again.
    kOpenUnclean,
  };

  std::string name;
  Action action = Action::kOperations;

  // Begin with an empty store.
  bool fresh = false;
  // The number of keys present before, which are numbered from 0. The key order draws from these.
  // Inserts add to them.
  uint64_t keys = 0;
  // The sum over all threads.
  uint64_t operations = 0;
  // If not 0, run for this long instead.
  double seconds = 0;

  // Shares of the operations, which add up to 1.
  double reads = 0;
  double missing_reads = 0;
  double updates = 0;
  double inserts = 0;
  double scans = 0;
  double read_modify_writes = 0;
  double deletes = 0;

  KeyOrder order = KeyOrder::kUniform;
  double theta = Zipf::kTheta;
  // Keys are scattered instead of in the order of their numbers.
  bool hashed_keys = false;
  // The number of reads or writes in one call; 1 for single ones.
  uint64_t batch = 1;
  // A scan seeks and then reads a number of entries, which is uniform between these two.
  uint64_t min_scan_length = 0;
  uint64_t max_scan_length = 0;

  // Writes survive a power cut before they return.
  bool sync = false;

  // Snapshots that each thread takes and releases between its calls. The time for that counts as
  // part of the calls.
  struct Snapshots {
    // One call in this many gets a snapshot that is released after the call. 0: none.
    uint64_t brief_each = 0;
    // One call in this many takes a snapshot that is kept. 0: none.
    uint64_t long_each = 0;
    // How many snapshots are kept at a time in the first half of the calls; the oldest is released
    // when there are more. In the second half none is released.
    uint64_t held = 0;
  };
  Snapshots snapshots;

  // What the store wrote for each byte of the user's is asked for.
  bool counts_written = false;

  // An additional thread overwrites keys as long as the others run, at this rate per second (0: as
  // fast as it can). Its operations are not counted.
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
