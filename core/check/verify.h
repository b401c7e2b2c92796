// Looking for damage. Public.

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

struct VerifyReport {
  uint64_t segments = 0;
  uint64_t records = 0;  // that verify, of any kind
  uint64_t puts = 0;
  uint64_t deletes = 0;
  uint64_t bytes = 0;  // read
  uint64_t keys = 0;   // live, judged by the log alone
  // Bytes after the end of the log in segments that were not sealed: preallocated space, or the
  // traces of writes that were never promised. Not damage.
  uint64_t unused_bytes = 0;
  std::vector<Damage> damages;

  bool clean() const { return damages.empty(); }
};

// Reads every byte of the database in `path` with pread and checks: MANIFEST's two copies, that
// listed segments are there and long enough, every record's checksum, key tables against records,
// counts, the chain of segments, and that versions ascend and are not above those that MANIFEST
// knows of. Changes nothing; needs no keystore. Takes the lock shared, so it is Unavailable while a
// writer has the database open (use DB::Verify there); NotFound, InvalidArgument and
// FailedPrecondition as for DB::Open. `file_system` null means the real one.
absl::StatusOr<VerifyReport> VerifyFiles(std::string_view path, FileSystem* file_system = nullptr);

}  // namespace rumcask

#endif  // RUMCASK_CORE_CHECK_VERIFY_H_
