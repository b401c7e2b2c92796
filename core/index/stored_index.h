// Opening an index on disk, and judging whether it is of any use.

#ifndef RUMCASK_CORE_INDEX_STORED_INDEX_H_
#define RUMCASK_CORE_INDEX_STORED_INDEX_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/index/index_entry.h"
#include "core/index/index_notes.h"
#include "core/log/log.h"
#include "core/plugin/disk_index.h"
#include "core/plugin/keystore.h"

namespace rumcask {

struct StoredIndex {
  std::unique_ptr<DiskIndex> index;
  // The log's records with higher numbers have to be brought to it.
  uint64_t position = 0;
  LiveBytes live;
  IndexWitness witness;
  // Why it was made anew, or empty. Not for the first time.
  std::string rebuilt;
  // The history that it is an index of. If this is not MANIFEST's, the index was ahead of the log:
  // the caller must give the log this incarnation before anybody relies on the index. Otherwise an
  // index of the longer history could later be taken for this log's.
  uint64_t incarnation = 0;
};

// Opens DATABASE/index/NAME, `path` being the database and `segments` its log, as opened. An index
// of another history, one that is behind the horizon below which segments may be gone, one ahead of
// the log, of a newer format or broken is removed and begun anew: the log is the truth, and an
// index is never evidence against it. With `discard` that happens in any case. Read-only it is
// FailedPrecondition instead. What only fails for now - the system has no more files or memory, the
// device does not answer - is an error, and the index stays.
absl::StatusOr<StoredIndex> OpenStoredIndex(const KeystoreFactory& factory, const std::string& path,
                                            const Log& segments, IndexNotes* notes, bool read_only,
                                            bool discard);

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_STORED_INDEX_H_
