// How much space the segments take, and how much of it live records justify.

#ifndef RUMCASK_CORE_COMPACTION_MEASUREMENT_H_
#define RUMCASK_CORE_COMPACTION_MEASUREMENT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string_view>

#include "absl/status/status.h"

#include "core/log/log.h"
#include "core/plugin/keystore.h"

namespace rumcask {

struct SpaceMeasurement {
  // What Space said before.
  uint64_t born = 0;
  uint64_t died = 0;
  // Bytes of files without those of the next three kinds, and without what a running job writes. Of
  // segments that are not sealed yet, what their records take.
  double file_bytes = 0;
  // Of live records, with their part of the footers, and how many of these may be dead because it
  // is not known yet what has been written lately replaced.
  double live_bytes = 0;
  double assumed_bytes = 0;
  // Files of emptied segments that wait, and of those of them that PinnedValues hold.
  double emptied_bytes = 0;
  double pinned_bytes = 0;
  // Files of segments of which a part cannot be moved.
  double damaged_bytes = 0;
  // On the average.
  double file_bytes_per_record_byte = 1;
  double average_record_bytes = 0;
};

// Looks at each segment once, without locks.
SpaceMeasurement MeasureSpace(const Log& log);

// Corrects the live bytes of all segments by a walk over the index, where the index does not report
// what a write replaces: what was dead at the walk's beginning counts as dead. Readers and writers
// go on meanwhile; no segment may be retired and no record moved. Cancelled once `stopped`. For
// tests, `before_step` is called without locks of the log before each step, unless it is empty.
absl::Status CountLiveBytes(Keystore* keystore, bool ordered, Log* log,
                            const std::atomic<bool>& stopped,
                            const std::function<void(std::string_view)>& before_step);

}  // namespace rumcask

#endif  // RUMCASK_CORE_COMPACTION_MEASUREMENT_H_
