#include "tools/advise/slices.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rumcask::advise {

absl::StatusOr<double> SecondsOfStep(const Phase& phase, const Clocks& clocks,
                                     const std::function<absl::Status()>& step) {
  constexpr uint64_t kSlices = 16;
  const uint64_t most = (phase.steps + kSlices - 1) / kSlices;
  std::vector<double> slices;
  const double end = clocks.wall() + phase.seconds;
  uint64_t done = 0;
  do {
    const double slice_end = std::min(end, clocks.wall() + phase.seconds / kSlices);
    const uint64_t last = std::min(phase.steps, done + most);
    const double processor = clocks.processor();
    const uint64_t first = done;
    do {
      const uint64_t look = std::min(last, done + phase.steps_between_looks);
      for (; done < look; ++done) {
        const absl::Status status = step();
        if (!status.ok()) return status;
      }
    } while (done < last && clocks.wall() < slice_end);
    slices.push_back((clocks.processor() - processor) / static_cast<double>(done - first));
  } while (done < phase.steps && clocks.wall() < end);
  const auto middle = slices.begin() + static_cast<std::ptrdiff_t>(slices.size() / 2);
  std::nth_element(slices.begin(), middle, slices.end());
  return *middle;
}

}  // namespace rumcask::advise
