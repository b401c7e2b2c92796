// A DiskIndex in an LMDB file.
//
// Two maps of LMDB's: `entries` and `notes`. Every Apply is one transaction, durable when it
// returns, so Flush has nothing to do and every note is durable.

#ifndef RUMCASK_KEYSTORES_LMDB_LMDB_INDEX_H_
#define RUMCASK_KEYSTORES_LMDB_LMDB_INDEX_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"

#include "core/plugin/disk_index.h"

namespace rumcask {

// What LMDB is compiled for, everywhere.
inline constexpr size_t kLmdbMaxKeyBytes = 511;

absl::StatusOr<std::unique_ptr<DiskIndex>> OpenLmdbIndex(const DiskIndexConfig& config);

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_LMDB_LMDB_INDEX_H_
