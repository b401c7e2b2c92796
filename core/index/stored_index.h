// Opening an index on disk, and deciding whether it can be used.

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
  // All records with numbers up to this are in the index; those with higher ones must be replayed.
  uint64_t position = 0;
  LiveBytes live;
  IndexWitness witness;
  // Why an existing index was replaced by an empty one; empty if it was not, or if there was none.
  std::string rebuilt;
  // The incarnation that the index names. If it is not MANIFEST's, the index that was replaced was
  // ahead of the log. The caller must then give the log this incarnation before anybody relies on
  // the new index; otherwise an index of the longer history could later be taken for this log's.
  uint64_t incarnation = 0;
};

// Opens DATABASE/index/NAME, where `path` is the database and `log` its log, which is open. An
// index is removed and replaced by an empty one if it is of another history, behind the horizon
// below which segments may be gone, ahead of the log, of a newer format, or broken: the log is the
// truth, and an index is never evidence against it. With `discard` that happens in any case.
// Read-only it is FailedPrecondition instead. If the index cannot be opened for now, because the
// system has no more descriptors or memory or the device does not answer, that is the error and the
// index stays.
absl::StatusOr<StoredIndex> OpenStoredIndex(const KeystoreFactory& factory, const std::string& path,
                                            const Log& log, IndexNotes* notes, bool read_only,
                                            bool discard);

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_STORED_INDEX_H_
