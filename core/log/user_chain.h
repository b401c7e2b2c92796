// The user stream as recovery puts it together: which segment goes on behind which.

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

  // Whether the segment with that header goes on behind the tail. A segment without records goes on
  // behind its predecessor, and so may a later one: of a roll that failed, the header may have
  // stayed. Those at the end that the header does not know are dropped.
  bool GoesOn(const SegmentHeader& header);

  // Drops the segments without records behind which nothing goes on.
  void DropEmptyEnd();

 private:
  // The tail if the last `dropped` segments were not there.
  RecoveredSegment* TailWithout(size_t dropped) const;
  bool Links(const SegmentHeader& header, const RecoveredSegment* tail) const;
  // Whether it was born, has no records, and MANIFEST vouches for none.
  bool IsEmpty(const RecoveredSegment& segment) const;
  void DropLast();

  RecoveredLog* const log_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_USER_CHAIN_H_
