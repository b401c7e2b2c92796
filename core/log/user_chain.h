// The user's segments as recovery puts them together: which segment follows which.

#ifndef RUMCASK_CORE_LOG_USER_CHAIN_H_
#define RUMCASK_CORE_LOG_USER_CHAIN_H_

#include <cstddef>

#include "core/format/format.h"
#include "core/log/recovery.h"

namespace rumcask {

// Looks at the segments that a recovered log has so far, in ascending order of their ids.
class UserChain {
 public:
  // `log` must outlive the chain.
  explicit UserChain(RecoveredLog* log) : log_(log) {}

  // The last user segment; null if there is none.
  RecoveredSegment* Tail() const { return TailWithout(0); }

  // Whether the segment with that header follows the tail. A roll that failed may have left a
  // segment with a header and no records; the next roll may name it as its predecessor or not.
  // Segments without records at the end that the header does not name are dropped.
  bool GoesOn(const SegmentHeader& header);

  // Drops segments without records at the end of the chain.
  void DropEmptyEnd();

 private:
  // What the tail would be without the last `dropped` segments.
  RecoveredSegment* TailWithout(size_t dropped) const;
  bool Links(const SegmentHeader& header, const RecoveredSegment* tail) const;
  // Whether it has a header and no records, and MANIFEST vouches for none in it.
  bool IsEmpty(const RecoveredSegment& segment) const;
  void DropLast();

  RecoveredLog* const log_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_USER_CHAIN_H_
