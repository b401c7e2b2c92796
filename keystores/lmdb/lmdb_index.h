// A DiskIndex in an LMDB file.
//
// Uses two LMDB maps, `entries` and `notes`. Every Commit is one transaction and durable when it
// returns, so Flush has nothing to do and every note is durable.

#ifndef RUMCASK_KEYSTORES_LMDB_LMDB_INDEX_H_
#define RUMCASK_KEYSTORES_LMDB_LMDB_INDEX_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"

#include "core/plugin/disk_index.h"

namespace rumcask {

// The limit that LMDB is compiled with everywhere.
inline constexpr size_t kLmdbMaxKeyBytes = 511;

absl::StatusOr<std::unique_ptr<DiskIndex>> OpenLmdbIndex(const DiskIndexConfig& config);

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_LMDB_LMDB_INDEX_H_
