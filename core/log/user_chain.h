// The user's segments as recovery puts them together: which segment follows which.

#ifndef RUMCASK_CORE_LOG_USER_CHAIN_H_
#define RUMCASK_CORE_LOG_USER_CHAIN_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/format/format.h"
#include "core/log/recovery.h"
#include "core/segment/segment_file.h"
#include "core/system/seeded_bug.h"

namespace rumcask {

// Finds where a segment's records end: behind the last whole record or whole batch. Is given one
// record after the other.
class EndOfRecords {
 public:
  explicit EndOfRecords(RecoveredSegment* segment) : segment_(segment) {}

  void Take(const FoundRecord& record) {
    ++records_;
    if (record.header.has_own_sequence()) {
      if (segment_->first_sequence == 0) segment_->first_sequence = record.header.sequence;
      last_ = std::max(last_, record.header.sequence);
    } else {
      marked_ = std::max(marked_, record.header.sequence);
    }
    if (record.header.part == BatchPart::kNone || record.header.part == BatchPart::kLast ||
        SeededBug("half-batch-kept")) {
      segment_->end = record.end();
      segment_->last_sequence = std::max(segment_->last_sequence, last_);
      segment_->last_checksum = record.header.checksum;
      segment_->records += std::exchange(records_, 0);
    }
  }

  // The highest number that one of the sync marks among them vouches for.
  uint64_t marked() const { return marked_; }

 private:
  RecoveredSegment* const segment_;
  uint64_t last_ = 0;
  uint64_t records_ = 0;
  uint64_t marked_ = 0;
};

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
