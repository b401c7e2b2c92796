// Computes which keys a store must hold after the operations it was given.

#ifndef RUMCASK_TOOLS_BENCH_LIVE_KEYS_H_
#define RUMCASK_TOOLS_BENCH_LIVE_KEYS_H_

#include <cstdint>
#include <vector>

#include "tools/bench/runner.h"
#include "tools/bench/value_sizes.h"
#include "tools/bench/workload.h"

namespace rumcask::bench {

// Repeats the operations outside the time that is measured. Exact, except for deletes that ran
// beside other threads' writes of the same keys.
class LiveKeys {
 public:
  void Clear();
  // Sets all keys below `keys` to present.
  void Fill(uint64_t keys);

  // Applies the first taken[i] operations of each thread i.
  void Apply(const Workload& workload, const ValueSizes& sizes, uint64_t seed, const Taken& taken);

  uint64_t count() const { return count_; }
  // The highest key that is or was present, plus one.
  uint64_t size() const { return live_.size(); }

 private:
  void Set(uint64_t number, bool live);

  std::vector<bool> live_;
  uint64_t count_ = 0;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_LIVE_KEYS_H_
