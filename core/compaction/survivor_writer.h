// Writes a survivor: a segment of records that compaction moves.

#ifndef RUMCASK_CORE_COMPACTION_SURVIVOR_WRITER_H_
#define RUMCASK_CORE_COMPACTION_SURVIVOR_WRITER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"

#include "core/format/format.h"
#include "core/log/log.h"
#include "core/log/segment.h"
#include "core/plugin/location.h"

namespace rumcask {

// Not thread-safe. Nothing refers to the file before Log::Adopt, so that one whose writing fails is
// merely removed, and one that a crash leaves is removed by the next opening.
class SurvivorWriter {
 public:
  // `log` must outlive it. The first record will have the number `first_sequence`.
  SurvivorWriter(Log* log, AgeClass age, uint64_t first_sequence)
      : log_(log), age_(age), first_sequence_(first_sequence) {}
  ~SurvivorWriter();
  SurvivorWriter(const SurvivorWriter&) = delete;
  SurvivorWriter& operator=(const SurvivorWriter&) = delete;

  // Makes the file. To be called first.
  absl::Status Begin();

  // Appends the record of `bytes` bytes at `from`, under its number and outside of its batch, and
  // sets `*to`. Records come in ascending order of their numbers. The bytes that are written are
  // the bytes that were verified, so that damage is never given a new checksum. Sets `*damaged`,
  // and appends nothing, if the record does not verify; the error is DataLoss then.
  absl::Status Add(const Segment& from, uint64_t offset, uint64_t bytes, Location* to,
                   bool* damaged);

  // Makes the segment durable, with its footer. The directory's entry is not synced.
  absl::Status Finish();

  // Where the next record will be.
  uint64_t end() const { return written_ + pending_.size(); }
  // Once it is finished: the segment, which now is the caller's to adopt or to discard.
  std::shared_ptr<Segment> TakeSegment() { return std::move(survivor_.segment); }

 private:
  absl::Status Flush();

  Log* const log_;
  const AgeClass age_;
  const uint64_t first_sequence_;
  NewSurvivor survivor_;
  uint64_t written_ = 0;
  // Behind what was written.
  std::string pending_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_COMPACTION_SURVIVOR_WRITER_H_
