// MANIFEST: which files make up the database, and what of them must be there.
//
// It is small, replaced as a whole, and rarely: at creation, at the first change after a clean
// open, after recovery, at retirement of segments, at a clean close - not when a segment is full.
// What happened since is judged by the segments' own chain (recovery.h).

#ifndef RUMCASK_CORE_FORMAT_MANIFEST_H_
#define RUMCASK_CORE_FORMAT_MANIFEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/format/format.h"
#include "core/format/limits.h"
#include "core/system/file_system.h"

namespace rumcask {

// Files of the live set with ids first_id to last_id, all alike.
struct ManifestRange {
  uint64_t first_id = 0;
  uint64_t last_id = 0;
  Stream stream = Stream::kUser;
  // Sealed and durable: footer written, contents final.
  bool sealed = false;
  // Of an unsealed segment (a range of one): where its records must at least reach. 0 if the file
  // was only prepared.
  uint64_t required_end = 0;
};

struct Manifest {
  Uuid uuid = {};
  // Changes when the history of the log stops being the one an index may have seen: at creation,
  // backup and repair.
  uint64_t incarnation = 0;
  // The name of the keystore; none as long as an opening that makes the database has not come to
  // its end, and then any may have it.
  std::string keystore;
  // That keystore has files of its own. Those that have none may take each other's place.
  bool keystore_persistent = false;
  uint64_t max_key_bytes = kMaxKeyBytes;
  // The highest id it speaks for: a file with an id up to this that is not in `live` is dead.
  uint64_t highest_id = 0;
  // Ascending, disjoint.
  std::vector<ManifestRange> live;
  // All user records with numbers <= this are durable.
  uint64_t durable_sequence = 0;
  // An index whose position is below this may point into files that are gone.
  uint64_t gc_horizon = 0;
  // No record gets a number below this.
  uint64_t next_sequence = 1;
  // Nothing has changed since a clean close.
  bool clean = false;

  // The range that lists `id`, if one does.
  const ManifestRange* Find(uint64_t id) const;
  // Adds `id` at the end of `live`, joined to the last range where they are alike.
  void Append(uint64_t id, Stream stream, bool sealed, uint64_t required_end);
};

// Draws a new one.
absl::Status NewIncarnation(Manifest* manifest);

// The file's bytes: the body twice, each copy at the start of a 4 KiB block, so that one bad sector
// does not take the database.
std::string EncodeManifest(const Manifest& manifest);

struct DecodedManifest {
  Manifest manifest;
  // Copies that could not be read, 0 or 1.
  int damaged_copies = 0;
  // Bytes behind the second copy, which mean nothing.
  uint64_t stray_bytes = 0;
};
// DataLoss if no copy is valid, FailedPrecondition if it is of a newer format. `name` is for the
// message.
absl::StatusOr<DecodedManifest> DecodeManifest(std::string_view bytes, std::string_view name);

// Reads and decodes; NotFound if there is no MANIFEST.
absl::StatusOr<DecodedManifest> ReadManifest(Directory* directory);

// Replaces MANIFEST in one step. On OK it survives a power cut. On an error of the last fsync
// either the old or the new one may be found later. InternalError, and nothing is changed, if it
// would give out numbers again that durable records have. `*sync_failed` is set, and otherwise left
// as it is, if the error is that of an fsync: then trying again would prove nothing.
absl::Status WriteManifest(Directory* directory, const Manifest& manifest,
                           bool* sync_failed = nullptr);

}  // namespace rumcask

#endif  // RUMCASK_CORE_FORMAT_MANIFEST_H_
