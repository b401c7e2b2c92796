// Finds the log that an opening begins with, and decides where it ends.
//
// The user stream is the chain of predecessor links in the segments' headers. It is cut at the
// first gap: the first place where the scan of a segment stops before the end that its successor's
// link names, or where a link's segment is missing. A segment without records that is linked to
// continues the chain. A file that does not belong, because its header is torn or names another
// predecessor, ends nothing: a later one may link to the tail, as one does after a roll that
// failed.
//
// Survivors are written, sealed and listed in MANIFEST before anything needs them. So they belong
// to no chain, whatever their ids: one that is listed must be whole, and one that is not is remains
// of a compaction that did not get that far.
//
// Let e be the last number of the prefix before the cut, and d the highest number vouched for by
// MANIFEST, a segment's header or a sync mark, also one beyond the cut or in a file that does not
// belong. e < d: something that was promised is gone - damage. Otherwise what lies beyond the cut
// was never promised: a torn tail, which is dropped. What the device cannot read is neither: where
// it lies beyond the end of the log, or in a file that does not belong, it may hide something that
// was promised, and opening for writing is refused. Where a successor's link names the end before
// it, it is no record and hides nothing. There is no other rule.
//
// Recover only reads. The changes it calls for are made by LiveSet::CommitRecovery, before the
// first write.

#ifndef RUMCASK_CORE_LOG_RECOVERY_H_
#define RUMCASK_CORE_LOG_RECOVERY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/damage.h"
#include "core/format/format.h"
#include "core/format/manifest.h"
#include "core/listener.h"
#include "core/system/file_system.h"

namespace rumcask {

// Numbers given out before an unclean end and lost with the tail must not come back. Whatever was
// given out since the last opening lies less than one of these blocks above the end of the prefix
// and the number that opening began with, so skipping a whole one leaves them all behind.
inline constexpr uint64_t kSequenceBlock = uint64_t{1} << 40;
inline uint64_t FirstSequenceAfterLoss(uint64_t next) {
  return (next / kSequenceBlock + 2) * kSequenceBlock;
}

// A segment that belongs to the database.
struct RecoveredSegment {
  uint64_t id = 0;
  Stream stream = Stream::kUser;
  // MANIFEST vouches for it as a whole.
  bool listed_sealed = false;
  // Something vouches for all of its records, and its footer is whole. It is as it was when it was
  // sealed, though MANIFEST does not list it as sealed yet.
  bool vouched_for = false;
  // Set in a read-only opening only: a sector of it cannot be read, so that only its successor
  // tells where its records end.
  bool unreadable = false;
  // Its footer is valid, so its records need not be read to know their keys.
  bool has_footer = false;
  Trailer trailer;
  // Where its records end.
  uint64_t end = kSegmentHeaderBytes;
  // Lowest and highest own number, 0 if none or if that was not found out.
  uint64_t first_sequence = 0;
  uint64_t last_sequence = 0;
  uint64_t last_checksum = 0;
  uint64_t records = 0;  // of any kind; 0 if that was not found out
  uint64_t file_bytes = 0;
};

struct RecoveredLog {
  Manifest manifest;
  // Ascending ids.
  std::vector<RecoveredSegment> segments;
  // The last user segment was cleanly closed and takes further records.
  bool continues_last = false;
  // Files to remove: dropped, unborn or dead segments.
  std::vector<uint64_t> doomed;
  // Those of them that did not belong to the chain. If something that was promised is missing, it
  // may be in these.
  std::vector<uint64_t> dropped;
  uint64_t dropped_file_bytes = 0;
  uint64_t highest_id = 0;        // of any segment file or MANIFEST
  uint64_t last_sequence = 0;     // e
  uint64_t durable_sequence = 0;  // d
  uint64_t next_sequence = 1;
  RecoveryReport report;
  // Damage that does not prevent reading: any that a read-only opening finds, and damaged footers.
  std::vector<Damage> damages;

  // The last segment of the user's chain, null if there is none. Survivors may have higher ids.
  const RecoveredSegment* LastUser() const;
};

// Reads the directory and changes nothing. With `read_only`, damage is put into `damages` and the
// result has what can be read; otherwise the damage is the error.
absl::StatusOr<RecoveredLog> Recover(Directory* directory, const Manifest& manifest,
                                     bool read_only);

// The steps of committing a recovery; LiveSet::CommitRecovery, which calls them, has their order.
// Each repeats harmlessly after an error, except if it set `*final`: then something could not be
// made durable, and no repetition would prove that it is.

// Makes the kept segments durable and sealed, as far as they are not yet, and appends them to the
// live set of `next`.
absl::Status SettleSegments(Directory* directory, RecoveredLog* log, Manifest* next, bool* final);

// Removes the files that do not belong to the database, once MANIFEST does not list them.
absl::Status RemoveDoomed(Directory* directory, RecoveredLog* log, bool* final);

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_RECOVERY_H_
