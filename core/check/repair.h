// Getting what can be got out of a damaged database. Public.

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

struct RepairReport {
  // Written to the new database as they were.
  uint64_t records_kept = 0;
  // Damaged deletes known from a key table, written anew.
  uint64_t deletes_restored = 0;
  // Records that a database of an earlier version had numbered at or below those before them. They
  // are kept, in their order, under higher versions.
  uint64_t records_renumbered = 0;
  // Segments whose header is damaged and whose records are kept all the same.
  uint64_t headers_damaged = 0;

  // ---- what is not in the new database; see complete() ----

  // Neither copy of MANIFEST could be read. Which segments make up the log is told by the segments
  // themselves. But nothing tells whether the newest of them are all there; and the keystore's name
  // is taken to be hash and the longest key to be the longest there is.
  bool manifest_lost = false;
  // Files that MANIFEST lists or another segment names, or that numbers show to be missing. Without
  // MANIFEST, a file that was no longer needed counts as well.
  uint64_t segments_missing = 0;
  // Puts that are damaged but whose key is known, and operations of damaged batches: reading the
  // key is DataLoss in the new database until it is written again, so that no older value comes
  // back.
  uint64_t values_lost = 0;
  // Bytes of records whose very key cannot be known. An older value of such a key may have become
  // current.
  uint64_t bytes_unreadable = 0;
  // Batches of which a part is damaged or missing, in segments without a key table. None of their
  // operations is kept. (A key table tells what is damaged, which counts in values_lost.)
  uint64_t incomplete_batches = 0;
  // Sound records behind the end of the log, for which nothing vouches: what follows the tear that
  // a power cut leaves, or follows damage.
  uint64_t records_dropped = 0;
  // Bytes behind the end of the log, those records included. The rest are remains of writes that
  // never completed, or damaged records: nothing tells which.
  uint64_t bytes_dropped = 0;
  // Versions that were durable, at the end of the log, of which nothing is left. Of those from
  // before an unclean end in there nothing tells how many they were; they are not in it.
  uint64_t versions_missing = 0;

  // Where something was found to be wrong, whether or not it cost anything.
  std::vector<Damage> damages;

  // Whether the new database has everything that may ever have been promised. False as soon as one
  // of the above is not zero, also after a mere power cut that has torn the end of the log: of that
  // alone nothing tells whether it was damage.
  bool complete() const {
    return !manifest_lost && segments_missing == 0 && values_lost == 0 && bytes_unreadable == 0 &&
           incomplete_batches == 0 && records_dropped == 0 && bytes_dropped == 0 &&
           versions_missing == 0;
  }
};

// Writes what verifies of the database in `path` to a new database in `into`, which must not exist.
// The source is only read.
//
// Nothing is resurrected: a key's damaged newest value does not bring back an older one, a damaged
// delete whose key is known stays a delete, and nothing is taken from beyond a recorded end or from
// an incomplete batch. Behind a tear in the log, records are kept up to the highest version that
// was known to be durable, and on from there as long as no version is missing. Everything that is
// not kept is counted in the report.
//
// Without MANIFEST the segments' headers tell which of them make up the log, and everything up to
// its first tear is kept. A segment whose header is damaged gives its records too.
//
// Versions are kept; the new database goes on above all of them and above every version that the
// old one may have given out. It has a new incarnation, so that no old index fits it. Needs no
// keystore. An interrupted repair leaves `into` without a MANIFEST: remove it and run again.
//
// AlreadyExists if there is something at `into`; NotFound if its parent directory or the source is
// missing; FailedPrecondition if the source is of a newer format, or if without MANIFEST its
// segments are those of two databases; DataLoss if nothing tells which database the segments belong
// to; Unavailable while a writer has the source open. `file_system` null means the real one.
absl::StatusOr<RepairReport> Repair(std::string_view path, std::string_view into,
                                    FileSystem* file_system = nullptr);

}  // namespace rumcask

#endif  // RUMCASK_CORE_CHECK_REPAIR_H_
