// Callbacks for events that no caller is waiting for. Public.

#ifndef RUMCASK_CORE_LISTENER_H_
#define RUMCASK_CORE_LISTENER_H_

#include "rumcask/require_cxx17.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace rumcask {

struct CompactionReport;  // compaction.h

// What Open found, and how it brought the database to a consistent state.
struct RecoveryReport {
  // False if the database was not closed the last time.
  bool was_clean = true;
  // The tail of the log that was dropped because it was never promised to be durable: its bytes, as
  // far as they were written, and the number of whole segments in it.
  uint64_t dropped_bytes = 0;
  uint64_t dropped_segments = 0;
  // Sequence number of the last record kept.
  uint64_t last_version = 0;
  // Segments that were read in full because they had no usable key table.
  uint64_t scanned_segments = 0;
  // Sealed segments whose footer is damaged; their records were read instead.
  uint64_t damaged_footers = 0;
};

// Implementations must be thread-safe, return quickly and not call the database. The database holds
// no lock during a call. Messages name files and offsets, never keys or values.
class Listener {
 public:
  virtual ~Listener() = default;
  // Called before Open returns.
  virtual void OnRecovered(const RecoveryReport& /*report*/) {}
  // While opening: `segments` out of `of` segments have been read to build the index. Called from
  // any thread.
  virtual void OnIndexLoading(size_t /*segments*/, size_t /*of*/) {}
  // A compaction has ended that has removed something or at least made it ready: one job of those
  // that the database runs by itself, or a call of CompactSome or CompactAll.
  virtual void OnCompaction(const CompactionReport& /*report*/) {}
  // The database cannot compact by itself at present, because of `status`, and tries again after a
  // second, then ever more seldom, up to a minute. Told when the reason changes.
  virtual void OnCompactionError(const absl::Status& /*status*/) {}
  // A full segment became durable and read-only.
  virtual void OnSegmentSealed(uint64_t /*segment_id*/, uint64_t /*bytes*/) {}
  // The database turned read-only because of `status`; see DB::BackgroundStatus.
  virtual void OnBackgroundError(const absl::Status& /*status*/) {}
  // A read met a record that fails its checksum, or opening met damage and went on.
  virtual void OnDamage(const absl::Status& /*status*/) {}
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LISTENER_H_
