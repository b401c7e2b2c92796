// In which order segments are compacted.

#ifndef RUMCASK_CORE_COMPACTION_VICTIMS_H_
#define RUMCASK_CORE_COMPACTION_VICTIMS_H_

#include <cstdint>
#include <vector>

#include "core/log/segment.h"

namespace rumcask {

// What the choice goes by.
struct VictimFigures {
  uint64_t id = 0;
  // Of its records, and of those of them that are live.
  uint64_t record_bytes = 0;
  uint64_t live_bytes = 0;
  // How many numbers were given out since it was sealed.
  uint64_t age = 0;
  // It is a candidate even if nothing in it seems to be dead.
  bool unsure = false;
  // What is copied if all of its tombstones have to stay.
  uint64_t most_copied = 0;

  uint64_t dead_bytes() const { return record_bytes > live_bytes ? record_bytes - live_bytes : 0; }
  // What comes back for each byte that is copied, with a block for what a job takes besides.
  double dead_per_live() const {
    return static_cast<double>(dead_bytes()) / (static_cast<double>(live_bytes) + 4096);
  }
};

// What is gained by compacting the segment, to be compared. With dead share E and live share
// u = 1 - E it is age * E^2 / u: the space that comes back for each byte that is written, times how
// long the segment has had the chance to lose more of it, times E once more, as a segment that dies
// fast is worth waiting for. This is the "minimum declining cost" of Lomet and Luo, "Efficiently
// Reclaiming Space in a Log Structured Store" (2021), with the update rate taken as 1 / age. The
// age is that of the segment, not of its records: those of survivors look infinitely old, and
// compaction would copy them again and again. A segment without live records comes before all.
double CompactionScore(const VictimFigures& figures);

// What compaction has to expect to copy out of a segment: what is live, and a part of its
// tombstones. Those must stay while an older segment may hold their keys, so they are expected to
// go at the pace at which segments go that were there when it was first seen. `older` is how many
// are listed before it now.
uint64_t ExpectedToStay(Segment* segment, uint64_t older);

// Puts the best ones first and leaves out those that have nothing to gain.
void OrderVictims(std::vector<VictimFigures>* candidates);

}  // namespace rumcask

#endif  // RUMCASK_CORE_COMPACTION_VICTIMS_H_
