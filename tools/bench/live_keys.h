// Which keys a store must hold after the operations it was given.

#ifndef RUMCASK_TOOLS_BENCH_LIVE_KEYS_H_
#define RUMCASK_TOOLS_BENCH_LIVE_KEYS_H_

#include <cstdint>
#include <vector>

#include "tools/bench/runner.h"
#include "tools/bench/value_sizes.h"
#include "tools/bench/workload.h"

namespace rumcask::bench {

// Goes through the operations again, outside the time that is measured. Exact but for deletes that
// other threads' writes of the same keys ran beside.
class LiveKeys {
 public:
  void Clear();
  // All keys below `keys` are there.
  void Fill(uint64_t keys);

  // The first taken[i] operations of thread i.
  void Apply(const Workload& workload, const ValueSizes& sizes, uint64_t seed, const Taken& taken);

  uint64_t count() const { return count_; }
  // One more than the highest key that is or was there.
  uint64_t size() const { return live_.size(); }

 private:
  void Set(uint64_t number, bool live);

  std::vector<bool> live_;
  uint64_t count_ = 0;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_LIVE_KEYS_H_
