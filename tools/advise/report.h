// Shows a recommendation.

#ifndef RUMCASK_TOOLS_ADVISE_REPORT_H_
#define RUMCASK_TOOLS_ADVISE_REPORT_H_

#include <cstdint>
#include <string>

#include "tools/advise/profile.h"
#include "tools/advise/recommendation.h"

namespace rumcask::advise {

// All that is shown.
struct Advice {
  Profile profile;
  Evidence evidence;
  Recommendation recommendation;
  // Where it was tried: "ext4 on /dev/sda1".
  std::string device;
  // Keys of the larger trial.
  uint64_t trial_keys = 0;
};

std::string AsTable(const Advice& advice);
std::string AsJson(const Advice& advice);

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_REPORT_H_
