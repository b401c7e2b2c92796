// MANIFEST: which files make up the database, and how much of them must be there.
//
// It is small and replaced as a whole, which is rare: at creation, at the first write after an
// opening, when the keystore or the incarnation changes, when a compaction adds segments or takes
// some out, and at a clean close. It is not replaced when a segment is full; what happened since is
// judged by the chain of the segments (recovery.h).

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

// Files of the live set with ids first_id to last_id, which have all other fields in common.
struct ManifestRange {
  uint64_t first_id = 0;
  uint64_t last_id = 0;
  Stream stream = Stream::kUser;
  // Sealed and durable: the footer is written and the contents are final.
  bool sealed = false;
  // For an unsealed segment or a survivor (a range of one): the offset that its records must reach
  // at least, those of a sealed one exactly. 0 if the file was only prepared, and for survivors
  // listed before this was recorded of them.
  uint64_t required_end = 0;
};

// What a version of the future has to say in MANIFEST. It is kept as it is by versions that do not
// know it.
struct ManifestExtension {
  uint64_t tag = 0;
  std::string bytes;
};

struct Manifest {
  FeatureFlags features;
  Uuid uuid = {};
  // Identifies the history of the log that an index may have seen. It gets a new value at creation
  // and repair, and whenever the log and an index that was built from it may no longer agree.
  uint64_t incarnation = 0;
  // The name of the keystore. Empty until the opening that creates the database has succeeded;
  // until then the database may be opened with any keystore.
  std::string keystore;
  // Whether that keystore has files of its own. Keystores that have none can replace each other.
  bool keystore_persistent = false;
  uint64_t max_key_bytes = kMaxKeyBytes;
  // The highest segment id that this MANIFEST knows of: a file with an id up to this that is not in
  // `live` is dead.
  uint64_t highest_id = 0;
  // Ascending, disjoint.
  std::vector<ManifestRange> live;
  // All user records with numbers <= this are durable.
  uint64_t durable_sequence = 0;
  // An index whose position is below this may refer to files that are gone.
  uint64_t gc_horizon = 0;
  // No further record gets a number below this.
  uint64_t next_sequence = 1;
  // Whether nothing has changed since a clean close.
  bool clean = false;
  // By ascending tags.
  std::vector<ManifestExtension> extensions;

  // The range that contains `id`, or null.
  const ManifestRange* Find(uint64_t id) const;
  // Adds `id` at the end of `live`, merged into the last range if they are alike. The end is that
  // of the segment's records, a multiple of 8; it is not kept for sealed user segments, whose
  // successors name it.
  void Append(uint64_t id, Stream stream, bool sealed, uint64_t required_end);
};

// Draws a new incarnation.
absl::Status NewIncarnation(Manifest* manifest);

// The file's bytes: the body twice, each copy at the start of a 4 KiB block, so that one bad sector
// does not take the database.
std::string EncodeManifest(const Manifest& manifest);

struct DecodedManifest {
  Manifest manifest;
  // Copies that could not be read or are invalid, 0 or 1.
  int damaged_copies = 0;
  // Bytes behind the second copy, which have no meaning.
  uint64_t stray_bytes = 0;
  // The mode of the file, if there is one.
  uint32_t file_mode = 0600;
};
// DataLoss if no copy is valid; FailedPrecondition if the file needs a newer version. `name` is for
// the message.
absl::StatusOr<DecodedManifest> DecodeManifest(std::string_view bytes, std::string_view name);

// Reads and decodes; NotFound if there is no MANIFEST.
absl::StatusOr<DecodedManifest> ReadManifest(Directory* directory);

// Replaces MANIFEST in one step. On OK the new one survives a power cut. If the last fsync fails,
// either the old or the new one may be found later. InternalError, with nothing changed, if the new
// one would give out numbers again that durable records have. Sets `*sync_failed` if the error is
// that of an fsync, after which trying again would prove nothing; otherwise leaves it unchanged.
absl::Status WriteManifest(Directory* directory, const Manifest& manifest,
                           bool* sync_failed = nullptr);

}  // namespace rumcask

#endif  // RUMCASK_CORE_FORMAT_MANIFEST_H_
