// Figures about an open database. Public.

#ifndef RUMCASK_CORE_STATS_H_
#define RUMCASK_CORE_STATS_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>
#include <string>
#include <vector>

#include "rumcask/listener.h"

namespace rumcask {

// Figures about one segment of the log.
struct SegmentStats {
  uint64_t id = 0;          // as in its file's name
  bool sealed = false;      // durable and read-only
  uint64_t file_bytes = 0;  // allocated on disk, including preallocated space
  uint64_t log_bytes = 0;   // bytes of records with headers and padding
  uint64_t live_bytes = 0;  // bytes of the records that the keystore points at
  uint64_t records = 0;     // of any kind
  uint64_t pins = 0;        // PinnedValues that hold it
  // What compaction is doing with it.
  enum class State {
    kIdle,
    kInFlight,  // a running job empties or fills it
    kWaiting,   // it was emptied, and waits for snapshots, reads, PinnedValues or the index
    kDamaged,   // a part of it cannot be moved, so it stays until that is dead, too
  };
  // What compaction is doing with it at present.
  State state = State::kIdle;
};

// Compaction since the opening. All figures but `running` only grow.
struct CompactionStats {
  bool running = false;
  uint64_t jobs = 0;
  uint64_t copied_records = 0;
  uint64_t written_bytes = 0;
  uint64_t retired_segments = 0;
  uint64_t retired_bytes = 0;
  // How often writers waited for space to come back.
  uint64_t writer_waits = 0;
};

// What DB::GetStats returns.
struct Stats {
  std::string keystore;  // its name
  uint64_t keys = 0;     // according to the keystore
  // Whether `keys` is exact. It is for keystores in memory; for others it is the count of their
  // index, which does not know the latest writes yet.
  bool keys_exact = true;
  uint64_t index_bytes = 0;  // memory
  // For keystores on disk: the size of the index's files, the version through which the index is
  // durably up to date, and the reason why opening had to build it anew (empty if it did not).
  uint64_t index_file_bytes = 0;
  uint64_t index_version = 0;
  std::string index_rebuilt;
  // Of all segments: bytes of records with headers and padding, and those of them that the keystore
  // points at.
  uint64_t log_bytes = 0;
  uint64_t live_bytes = 0;
  // False: `live_bytes`, also those of the segments, are an upper bound. A replaced record counts
  // as dead once it is known which record was replaced; with a keystore on disk, once the change
  // has been applied to the index.
  bool live_bytes_exact = true;
  // Of all segments. The next six are parts of it: of segments that are not sealed; of the file
  // that the next segment will be; of what a running compaction works on; of segments that wait for
  // what still needs them, and of those of them that PinnedValues hold; and of damaged segments.
  uint64_t file_bytes = 0;
  uint64_t active_bytes = 0;
  uint64_t prepared_bytes = 0;
  uint64_t in_flight_bytes = 0;
  uint64_t waiting_bytes = 0;
  uint64_t pinned_bytes = 0;
  uint64_t damaged_bytes = 0;
  // Of the file RESERVE, which is held for deletes and compaction on a full disk. No part of
  // `file_bytes`.
  uint64_t reserve_bytes = 0;
  uint64_t pins = 0;        // PinnedValues that hold a segment
  uint64_t snapshots = 0;   // open ones, including iterators
  uint64_t undo_bytes = 0;  // memory for what only snapshots see
  // The newest sequence number given out, and the number through which all writes are known to
  // survive a power cut.
  uint64_t last_version = 0;
  uint64_t durable_version = 0;
  // The following count from the opening on.
  uint64_t puts = 0;     // records of kind put
  uint64_t deletes = 0;  // records of kind delete
  uint64_t syncs = 0;    // fdatasyncs of the active segment
  // Segments that were sealed, and what compaction has done.
  uint64_t sealed_segments = 0;
  CompactionStats compaction;
  // What opening found.
  RecoveryReport recovery;
  std::vector<SegmentStats> segments;  // in order of id
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_STATS_H_
