// Opening an index on disk, and judging whether it is of any use.

#ifndef RUMCASK_CORE_INDEX_OPENER_H_
#define RUMCASK_CORE_INDEX_OPENER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/disk_index.h"
#include "core/index_entry.h"
#include "core/keystore.h"
#include "core/recovery.h"

namespace rumcask {

struct OpenedIndex {
  std::unique_ptr<DiskIndex> index;
  // The log's records with higher numbers have to be brought to it.
  uint64_t position = 0;
  LiveBytes live;
  IndexWitness witness;
  // Why it was made anew, or empty. Not for the first time.
  std::string rebuilt;
  // It was of a history that goes beyond the log's: the log's must change its name, so that no
  // further part of the other one is taken for its own.
  bool was_ahead = false;
};

// Opens DATABASE/index/NAME, `path` being the database. An index of another history, one that is
// behind the horizon below which segments may be gone, one ahead of the log, of a newer format or
// broken is removed and begun anew: the log is the truth, and an index is never evidence against
// it. With `discard` that happens in any case. Read-only it is FailedPrecondition instead.
absl::StatusOr<OpenedIndex> OpenIndex(const KeystoreFactory& factory, const std::string& path,
                                      const RecoveredLog& log, bool read_only, bool discard);

// Where the index of the keystore is.
std::string IndexPath(const std::string& path, const std::string& keystore);

// Removes the indexes of all keystores but `keystore`; none is kept if that is empty. What can't be
// removed stays.
void RemoveIndexesBut(const std::string& path, const std::string& keystore);

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_OPENER_H_
