// Reconstructs a MANIFEST from the segments when it is lost.

#ifndef RUMCASK_CORE_CHECK_LOST_MANIFEST_H_
#define RUMCASK_CORE_CHECK_LOST_MANIFEST_H_

#include <vector>

#include "absl/status/statusor.h"

#include "core/damage.h"
#include "core/format/manifest.h"
#include "core/system/file_system.h"

namespace rumcask {

// Makes a MANIFEST from the segment files, to be given to Recover read-only.
//
// A footer is written only after everything before it in the stream was sealed and durable. So the
// log contains every segment with a whole footer and, before the last of those, every segment that
// a later one names as its predecessor. They are listed as sealed. The segments after that are
// listed as not sealed, so that their chain decides. Two kinds of files are not listed: a file
// between a segment and the predecessor that it names, because that file had been dropped when the
// link was written; and a file that has no footer, is not named by any other, and lies before one
// with a footer. A predecessor that is missing looks like one that was retired, so what follows it
// is kept.
//
// Adds to `*damages` the files in which nothing verifies. NotFound if there are no segment files;
// DataLoss if it cannot be found out to which database they belong; FailedPrecondition if they
// belong to two databases or have a newer format.
absl::StatusOr<Manifest> ReconstructManifest(Directory* directory, std::vector<Damage>* damages);

}  // namespace rumcask

#endif  // RUMCASK_CORE_CHECK_LOST_MANIFEST_H_
