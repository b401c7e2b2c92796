// What a walk over many records asks of the device ahead of its reads.

#ifndef RUMCASK_CORE_READAHEAD_H_
#define RUMCASK_CORE_READAHEAD_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "core/log/log.h"
#include "core/log/segment.h"
#include "core/plugin/location.h"

namespace rumcask {

// The kernel is told that segments are read at random, so that a get brings in no more than the
// pages of its record. A walk over everything would then wait for the device page by page. Most
// walks are short, so the first records of each are read as gets are; after them, the surroundings
// of a record are read with it, once. In which order the records are walked makes no difference.
//
// Not thread-safe.
class Readahead {
 public:
  // Brings in some of the records that come next, so that their reads overlap. `location` gives the
  // place of record i in [begin, end), and need not exist. To be called at each record; it does
  // something at some only.
  template <typename LocationAt>
  void Touch(const Log& log, size_t begin, size_t end, const LocationAt& location) {
    if (begin % kAhead != 0) return;
    end = std::min(end, begin + kAhead);
    if (walked_ < kShortWalk) {
      walked_ += end - begin;
    } else {
      for (size_t i = begin; i < end; ++i) {
        if (location(i).exists()) ReadSurroundings(*log.Pin(location(i)), location(i).offset());
      }
    }
    for (size_t i = begin; i < end; ++i) {
      if (location(i).exists()) log.Pin(location(i))->Touch(location(i));
    }
  }

  // The part of Touch that concerns the device.
  void ReadSurroundings(const Segment& segment, uint64_t offset) {
    std::vector<bool>& asked = asked_[segment.slot()];
    const size_t stretch = offset / kStretch;
    if (stretch >= asked.size()) asked.resize(stretch + 1);
    if (asked[stretch]) return;
    asked[stretch] = true;
    segment.Prefetch(stretch * kStretch, kStretch);
  }

  // How many bytes are read at once.
  static constexpr uint64_t kStretch = uint64_t{512} << 10;

 private:
  static constexpr size_t kShortWalk = 256;
  // Records whose reads overlap.
  static constexpr size_t kAhead = 32;

  size_t walked_ = 0;
  // By slot: the stretches that were asked for. A segment that gets a slot again is read as by
  // gets.
  absl::flat_hash_map<uint32_t, std::vector<bool>> asked_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_READAHEAD_H_
