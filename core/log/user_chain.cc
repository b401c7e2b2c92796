#include "core/log/user_chain.h"

#include "core/system/seeded_bug.h"

namespace rumcask {

RecoveredSegment* UserChain::TailWithout(size_t dropped) const {
  for (size_t i = log_->segments.size() - dropped; i > 0; --i) {
    if (log_->segments[i - 1].stream == Stream::kUser) return &log_->segments[i - 1];
  }
  return nullptr;
}

bool UserChain::Links(const SegmentHeader& header, const RecoveredSegment* tail) const {
  const uint64_t tail_id = tail == nullptr ? 0 : tail->id;
  if (header.predecessor_id == tail_id) {
    // Where the records of a sealed segment end is not known yet if its footer is damaged.
    return tail == nullptr || (tail->listed_sealed && !tail->has_footer) || tail->unreadable ||
           (header.predecessor_end == tail->end &&
            header.predecessor_checksum == tail->last_checksum);
  }
  // A predecessor that MANIFEST knows as retired ends the walk - if nothing kept stands between.
  return header.predecessor_id > tail_id && header.predecessor_id <= log_->manifest.highest_id &&
         log_->manifest.Find(header.predecessor_id) == nullptr;
}

bool UserChain::IsEmpty(const RecoveredSegment& segment) const {
  const ManifestRange* const range = log_->manifest.Find(segment.id);
  return !segment.listed_sealed && segment.end <= kSegmentHeaderBytes &&
         (range == nullptr || range->required_end <= kSegmentHeaderBytes);
}

bool UserChain::GoesOn(const SegmentHeader& header) {
  if (header.stream != Stream::kUser) return false;
  size_t dropped = 0;
  while (!Links(header, TailWithout(dropped))) {
    const size_t left = log_->segments.size() - dropped;
    if (left == 0 || !IsEmpty(log_->segments[left - 1]) ||
        SeededBug("empty-segment-ends-the-chain")) {
      return false;
    }
    ++dropped;
  }
  for (; dropped > 0; --dropped) DropLast();
  return true;
}

void UserChain::DropEmptyEnd() {
  while (!log_->segments.empty() && IsEmpty(log_->segments.back())) {
    DropLast();
    log_->continues_last = false;
  }
}

void UserChain::DropLast() {
  const RecoveredSegment& last = log_->segments.back();
  log_->doomed.push_back(last.id);
  log_->dropped.push_back(last.id);
  ++log_->report.dropped_segments;
  log_->dropped_file_bytes += last.file_bytes;
  log_->segments.pop_back();
}

}  // namespace rumcask
