// Figures about an open database. Public.

#ifndef RUMCASK_CORE_STATS_H_
#define RUMCASK_CORE_STATS_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>
#include <string>
#include <vector>

#include "rumcask/listener.h"

namespace rumcask {

struct SegmentStats {
  uint64_t id = 0;
  bool sealed = false;
  uint64_t file_bytes = 0;  // allocated, preallocation included
  uint64_t log_bytes = 0;   // record bytes, headers and padding included
  uint64_t live_bytes = 0;  // record bytes the keystore points at
  uint64_t records = 0;     // of any kind
  uint64_t pins = 0;        // PinnedValues that keep it
};

struct Stats {
  std::string keystore;
  uint64_t keys = 0;
  // Whether `keys` is exact: it is for keystores in memory; for others it is their index's, which
  // does not know yet what was written last.
  bool keys_exact = true;
  uint64_t index_bytes = 0;  // memory
  // Of keystores on disk: what the index takes there, the version through which it is up to date
  // for good, and why opening had to build it anew (empty: it had not).
  uint64_t index_file_bytes = 0;
  uint64_t index_version = 0;
  std::string index_rebuilt;
  uint64_t log_bytes = 0;
  uint64_t live_bytes = 0;
  // False: `live_bytes`, the segments' too, are an upper bound. Replaced records are counted as
  // dead as soon as it is known what they replaced: on disk, when the index has been told.
  bool live_bytes_exact = true;
  uint64_t file_bytes = 0;
  uint64_t pins = 0;
  uint64_t snapshots = 0;   // open ones, iterators included
  uint64_t undo_bytes = 0;  // memory for what only they see
  // The newest sequence number given out, and the one through which all writes are known to
  // survive a power cut.
  uint64_t last_version = 0;
  uint64_t durable_version = 0;
  // Since opening.
  uint64_t puts = 0;     // records of kind put
  uint64_t deletes = 0;  // records of kind delete
  uint64_t syncs = 0;    // fdatasyncs of the active segment
  uint64_t sealed_segments = 0;
  RecoveryReport recovery;
  std::vector<SegmentStats> segments;  // in order of id
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_STATS_H_
