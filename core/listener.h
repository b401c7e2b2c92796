// Callbacks for what happens without a caller to tell. Public.

#ifndef RUMCASK_CORE_LISTENER_H_
#define RUMCASK_CORE_LISTENER_H_

#include "rumcask/require_cxx17.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace rumcask {

// What opening did to bring the database to a consistent state.
struct RecoveryReport {
  bool was_clean = true;
  // The never-promised tail that is cut: its bytes as far as they were written, and how many whole
  // segments were part of it.
  uint64_t dropped_bytes = 0;
  uint64_t dropped_segments = 0;
  // Sequence number of the last record kept.
  uint64_t last_version = 0;
  // Segments read in full because no usable key table was at hand.
  uint64_t scanned_segments = 0;
  // Sealed segments whose footer is damaged; their records were read instead.
  uint64_t damaged_footers = 0;
};

// Implementations must be thread-safe, return quickly and not call the database. No lock is held
// during a call. Messages name files and offsets, never keys or values.
class Listener {
 public:
  virtual ~Listener() = default;
  // Before Open returns.
  virtual void OnRecovered(const RecoveryReport& /*report*/) {}
  // While opening: so many segments of all have been read for the index. From any thread.
  virtual void OnIndexLoading(size_t /*segments*/, size_t /*of*/) {}
  // A full segment became durable and read-only.
  virtual void OnSegmentSealed(uint64_t /*segment_id*/, uint64_t /*bytes*/) {}
  // The database turned read-only because of `status`; see DB::BackgroundStatus.
  virtual void OnBackgroundError(const absl::Status& /*status*/) {}
  // A read met a record whose bytes fail their checksum.
  virtual void OnDamage(const absl::Status& /*status*/) {}
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LISTENER_H_
