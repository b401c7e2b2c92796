// The time of a step that is done many times.

#ifndef RUMCASK_TOOLS_ADVISE_SLICES_H_
#define RUMCASK_TOOLS_ADVISE_SLICES_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rumcask::advise {

// It ends after so many steps or so many seconds, but not before the first look at the clock.
struct Phase {
  uint64_t steps = 1;
  double seconds = 0;
  // From one look at the clock to the next; at least 1. Looking takes as long as a part of a short
  // step does.
  uint64_t steps_between_looks = 1;
};

// What is read, in seconds since any moment.
struct Clocks {
  std::function<double()> wall;
  std::function<double()> processor;
};

// The processor time of one step: the median of slices, so that what disturbs some of them does not
// count.
absl::StatusOr<double> SecondsOfStep(const Phase& phase, const Clocks& clocks,
                                     const std::function<absl::Status()>& step);

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_SLICES_H_
