// What the segments tell when MANIFEST is lost.

#ifndef RUMCASK_CORE_CHECK_LOST_MANIFEST_H_
#define RUMCASK_CORE_CHECK_LOST_MANIFEST_H_

#include <vector>

#include "absl/status/statusor.h"

#include "core/damage.h"
#include "core/format/manifest.h"
#include "core/system/file_system.h"

namespace rumcask {

// Makes a MANIFEST from the segment files for Recover, read-only.
//
// A footer is written only after everything before it in the stream was sealed and made durable. So
// every segment with a whole footer belongs to the log, and of those before the last such one, each
// that another names as its predecessor: they are listed as sealed. What comes behind is listed as
// not sealed, for the chain to decide. A file between a segment and the one that it names is not
// listed: it had been dropped when that link was written; nor is one without a footer, before one
// with, that nothing names. A predecessor that is not there looks like one that was retired, so
// that what follows it is kept.
//
// Adds to `*damages` what is of no use: files in which nothing verifies. NotFound if there are no
// segment files; DataLoss if nothing tells to which database they belong; FailedPrecondition if
// they are of two, or of a newer format.
absl::StatusOr<Manifest> ReconstructManifest(Directory* directory, std::vector<Damage>* damages);

}  // namespace rumcask

#endif  // RUMCASK_CORE_CHECK_LOST_MANIFEST_H_
