// A DiskIndex in RocksDB.
//
// Uses one column family; the first byte of a key distinguishes entries from notes. Writes go to
// memory only, without RocksDB's log. After a crash the index is nevertheless as some Commit left
// it, for two reasons (RocksDB 7.8, db/db_impl/db_impl_write.cc, db/write_batch.cc and
// db/memtable_list.cc):
//
//  - A WriteBatch goes into one memtable as a whole. A memtable that it fills up is only marked
//    (MemTableInserter::CheckMemtableFull) and replaced before the next write (PreprocessWrite).
//  - A memtable becomes a file as a whole, and files are recorded in the manifest in the order of
//    the memtables, whichever is written first (MemTableList::TryInstallMemtableFlushResults).
//
// A read of the persisted tier leaves out all memtables once anything was written without a log
// (DBImpl::GetImpl), and files are visible only once the manifest that names them is synced. So
// such a read shows what a power cut would leave.

#ifndef RUMCASK_KEYSTORES_ROCKSDB_ROCKSDB_INDEX_H_
#define RUMCASK_KEYSTORES_ROCKSDB_ROCKSDB_INDEX_H_

#include <rocksdb/status.h>

#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/plugin/disk_index.h"
#include "keystores/rocksdb/rocksdb_keystore.h"

namespace rumcask {

// The status for a status of RocksDB other than OK, naming the call and the path. Errors that may
// pass by themselves, such as a full disk and what RocksDB returns after one, are
// ResourceExhausted.
absl::Status RocksdbStatus(std::string_view call, std::string_view path,
                           const rocksdb::Status& status);

absl::StatusOr<std::unique_ptr<DiskIndex>> OpenRocksdbIndex(const DiskIndexConfig& config,
                                                            const RocksdbOptions& options);

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_ROCKSDB_ROCKSDB_INDEX_H_
