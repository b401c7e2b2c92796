// Saves what can be saved from a damaged database. Public.

#ifndef RUMCASK_CORE_CHECK_REPAIR_H_
#define RUMCASK_CORE_CHECK_REPAIR_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "rumcask/damage.h"
#include "rumcask/verify.h"

namespace rumcask {

class FileSystem;

// What a repair has saved, and what it has not.
struct RepairReport {
  // Written to the new database unchanged.
  uint64_t records_kept = 0;
  // Damaged deletes that a key table still names; they were written anew.
  uint64_t deletes_restored = 0;
  // Records that the old database, written by an earlier release, had given numbers at or below
  // those of records before them. They are kept, in their order, under higher versions.
  uint64_t records_renumbered = 0;
  // Segments with a damaged header whose records were kept all the same.
  uint64_t headers_damaged = 0;

  // ---- what is not in the new database; see complete() ----

  // Neither copy of MANIFEST could be read. The segments themselves say which of them make up the
  // log, but not whether the newest of them are all there. The keystore is assumed to be hash, and
  // the longest key allowed to be the longest possible.
  bool manifest_lost = false;
  // Segment files that MANIFEST lists or another segment names, or whose absence shows in the
  // versions. Without MANIFEST, a file that was no longer needed counts as well.
  uint64_t segments_missing = 0;
  // Damaged puts whose key is known, and operations of damaged batches. In the new database,
  // reading such a key is DataLoss until the key is written again, so that no older value comes
  // back.
  uint64_t values_lost = 0;
  // Bytes of damaged records whose key cannot be known. An older value of such a key may have
  // become current.
  uint64_t bytes_unreadable = 0;
  // Batches with a damaged or missing part, in segments without a key table. None of their
  // operations is kept. (With a key table the damaged operations are known, and count in
  // values_lost.)
  uint64_t incomplete_batches = 0;
  // Intact records after the end of the log that are not known to have been durable: they follow
  // the tear that a power cut leaves, or follow damage.
  uint64_t records_dropped = 0;
  // Bytes after the end of the log, including those records. The other bytes are remains of writes
  // that never completed, or damaged records; it cannot be known which.
  uint64_t bytes_dropped = 0;
  // Durable versions at the end of the log of which nothing is left. If an unclean end lies among
  // them, those before it are not counted, because their number cannot be known.
  uint64_t versions_missing = 0;

  // Every place where something was found to be wrong, whether or not anything was lost by it.
  std::vector<Damage> damages;

  // Whether the new database has everything that may ever have been promised to be durable. False
  // as soon as one of the counts above is not zero. That includes a mere power cut that tore the
  // end of the log, because it cannot be distinguished from damage.
  bool complete() const {
    return !manifest_lost && segments_missing == 0 && values_lost == 0 && bytes_unreadable == 0 &&
           incomplete_batches == 0 && records_dropped == 0 && bytes_dropped == 0 &&
           versions_missing == 0;
  }
};

// Writes everything that verifies of the database in `path` to a new database in `into`, which must
// not exist. The source is only read.
//
// Nothing is resurrected: a key whose newest value is damaged does not get an older one back, a
// damaged delete whose key is known stays a delete, and nothing is taken from behind a recorded end
// or from an incomplete batch. After a tear in the log, records are kept up to the highest version
// that was known to be durable, and from there on as long as no version is missing. Everything that
// is not kept is counted in the report.
//
// Without MANIFEST, the headers of the segments say which of them make up the log, and everything
// up to the first tear is kept. The records of a segment with a damaged header are kept, too.
//
// Versions are kept. The new database continues above all of them and above every version that the
// old one may have given out. It has a new incarnation, so that no old index is taken for its own.
// No keystore is needed. Only the owner may read it, whoever may read the old one. An interrupted
// repair leaves `into` without a MANIFEST; remove it and run the repair again.
//
// AlreadyExists if there is anything at `into`; NotFound if its parent directory or the source is
// missing; FailedPrecondition if the source has a newer format, or if without MANIFEST its segments
// belong to two databases; DataLoss if it cannot be found out to which database the segments
// belong; Unavailable while a writer has the source open. A null `file_system` means the real one.
absl::StatusOr<RepairReport> Repair(std::string_view path, std::string_view into,
                                    FileSystem* file_system = nullptr);

}  // namespace rumcask

#endif  // RUMCASK_CORE_CHECK_REPAIR_H_
