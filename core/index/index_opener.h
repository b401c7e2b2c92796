// Opening an index on disk, and judging whether it is of any use.

#ifndef RUMCASK_CORE_INDEX_INDEX_OPENER_H_
#define RUMCASK_CORE_INDEX_INDEX_OPENER_H_

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

struct OpenedIndex {
  std::unique_ptr<DiskIndex> index;
  // The log's records with higher numbers have to be brought to it.
  uint64_t position = 0;
  LiveBytes live;
  IndexWitness witness;
  // Why it was made anew, or empty. Not for the first time.
  std::string rebuilt;
  // The history that it is an index of. Another than MANIFEST's if it was of a history that goes
  // beyond the log's: the log's must change its name to this, so that no further part of the other
  // one is taken for its own, before anybody relies on the index.
  uint64_t incarnation = 0;
};

// Opens DATABASE/index/NAME, `path` being the database and `segments` its log, as opened. An index
// of another history, one that is behind the horizon below which segments may be gone, one ahead of
// the log, of a newer format or broken is removed and begun anew: the log is the truth, and an
// index is never evidence against it. With `discard` that happens in any case. Read-only it is
// FailedPrecondition instead. What only fails for now - the system has no more files or memory, the
// device does not answer - is an error, and the index stays.
absl::StatusOr<OpenedIndex> OpenIndex(const KeystoreFactory& factory, const std::string& path,
                                      const SegmentSet& segments, IndexNotes* notes, bool read_only,
                                      bool discard);

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_INDEX_OPENER_H_
