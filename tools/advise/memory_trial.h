// How much memory a keystore takes, measured apart from its speed: what an index takes can be seen
// with many more keys than a whole database could be tried with in the same time.

#ifndef RUMCASK_TOOLS_ADVISE_MEMORY_TRIAL_H_
#define RUMCASK_TOOLS_ADVISE_MEMORY_TRIAL_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "tools/advise/profile.h"
#include "tools/advise/trial_figures.h"

namespace rumcask::advise {

struct MemorySettings {
  std::string keystore;
  // Of a keystore in memory: with so many keys and twice as many, and with more until a quarter of
  // this time is over, but with no more than so many.
  uint64_t least_keys = 0;
  uint64_t most_keys = 0;
  double seconds = 0;
  std::function<bool()> stop;
};

// Fills the index of a keystore in memory, alone and without a log, and tells the anonymous memory
// that it takes with the profile's keys divided by powers of two, the smallest number first. A
// table that doubles is as full with each of these numbers as with all keys.
absl::StatusOr<std::vector<MemoryPoint>> RunMemoryTrial(const Profile& profile,
                                                        const MemorySettings& settings);

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_MEMORY_TRIAL_H_
