// Getting what can be got out of a damaged database. Public.

#ifndef RUMCASK_CORE_REPAIR_H_
#define RUMCASK_CORE_REPAIR_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "rumcask/verify.h"

namespace rumcask {

class FileSystem;

struct RepairReport {
  uint64_t records_kept = 0;
  // Damaged deletes known from a key table, written anew.
  uint64_t deletes_restored = 0;
  // Newest puts whose value is damaged but whose key a key table tells: reading the key is DataLoss
  // in the new database until it is overwritten or deleted.
  uint64_t values_lost = 0;
  // Bytes of records whose very key cannot be known. Only here may an older value be found current
  // in the new database.
  uint64_t bytes_unreadable = 0;
  std::vector<Damage> damages;
};

// Writes what verifies of the database in `path` to a new database in `into`, which must not exist.
// The source is only read. Nothing is resurrected: a key's damaged newest value does not bring
// back an older one, a damaged delete stays a delete, and nothing is taken from beyond a recorded
// end or from an incomplete batch. Versions are kept; the new database has a new incarnation, so no
// old index fits it. Needs no keystore. An interrupted repair leaves `into` without a MANIFEST:
// remove it and run again.
absl::StatusOr<RepairReport> Repair(std::string_view path, std::string_view into,
                                    FileSystem* file_system = nullptr);

}  // namespace rumcask

#endif  // RUMCASK_CORE_REPAIR_H_
