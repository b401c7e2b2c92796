// The keys and values that trials write and read.

#ifndef RUMCASK_TOOLS_ADVISE_ENTRIES_H_
#define RUMCASK_TOOLS_ADVISE_ENTRIES_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "tools/advise/profile.h"
#include "tools/bench/random.h"
#include "tools/bench/value_sizes.h"

namespace rumcask::advise {

// Not thread-safe. `profile` must outlive it.
class Entries {
 public:
  // Shorter keys are written as keys of this length, because there are not enough shorter ones.
  static constexpr uint64_t kShortestKey = 6;

  explicit Entries(const Profile& profile);

  // Valid until the next call. Each number has a key of its own, which never changes.
  std::string_view Key(uint64_t number);
  // Valid until the next call. Its length is drawn anew each time.
  std::string_view Value();

 private:
  const Profile& profile_;
  bench::Random random_{1};
  bench::ValueBytes bytes_;
  std::string key_;
};

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_ENTRIES_H_
