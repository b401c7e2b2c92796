// Checks a database for damage. Public.

#ifndef RUMCASK_CORE_CHECK_VERIFY_H_
#define RUMCASK_CORE_CHECK_VERIFY_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "rumcask/damage.h"

namespace rumcask {

class FileSystem;

// What a check has read and found.
struct VerifyReport {
  uint64_t segments = 0;  // segments read
  uint64_t records = 0;   // records of any kind that verify
  uint64_t puts = 0;      // those of them that store a value
  uint64_t deletes = 0;   // and those that remove a key
  uint64_t bytes = 0;     // bytes read
  uint64_t keys = 0;      // live keys according to the log alone
  // Bytes after the end of the log in segments that were not sealed: preallocated space, or remains
  // of writes that were never promised to be durable. Not damage.
  uint64_t unused_bytes = 0;
  // Everything that is damaged or missing.
  std::vector<Damage> damages;

  // Whether there is no damage.
  bool clean() const { return damages.empty(); }
};

// Reads every byte of the database in `path` with pread. Checks both copies of MANIFEST, that
// listed segments exist and are long enough, the checksum of every record, key tables against
// records, counts, the chain of segments, and that versions ascend and are not above those that
// MANIFEST knows of. Changes nothing and needs no keystore. Takes the lock shared, so it is
// Unavailable while a writer has the database open (use DB::Verify there). NotFound,
// InvalidArgument and FailedPrecondition as for DB::Open. A null `file_system` means the real one.
absl::StatusOr<VerifyReport> VerifyFiles(std::string_view path, FileSystem* file_system = nullptr);

}  // namespace rumcask

#endif  // RUMCASK_CORE_CHECK_VERIFY_H_
