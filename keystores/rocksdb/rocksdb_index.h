// A DiskIndex in RocksDB.
//
// One column family; a first byte tells entries from notes. Writes go to memory alone, without
// RocksDB's log. That what a crash leaves is nevertheless what some Apply had made, rests on this
// (RocksDB 7.8, db/db_impl/db_impl_write.cc, db/write_batch.cc and db/memtable_list.cc):
//
//  - A WriteBatch goes into one memtable whole. A memtable that it fills up is only marked
//    (MemTableInserter::CheckMemtableFull) and exchanged before the next write (PreprocessWrite).
//  - A memtable becomes a file whole, and files are recorded in the manifest in the order of the
//    memtables, whichever is written first (MemTableList::TryInstallMemtableFlushResults).
//
// A read of the persisted tier leaves out all memtables once something was written without a log
// (DBImpl::GetImpl), and files are visible only once the manifest that names them is synced: it
// tells what a power cut would leave.

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

// What a status of RocksDB's other than OK means, naming the call and the path. Whatever may pass
// by itself - a full disk and what RocksDB says after one - is ResourceExhausted.
absl::Status RocksdbStatus(std::string_view call, std::string_view path,
                           const rocksdb::Status& status);

absl::StatusOr<std::unique_ptr<DiskIndex>> OpenRocksdbIndex(const DiskIndexConfig& config,
                                                            const RocksdbOptions& options);

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_ROCKSDB_ROCKSDB_INDEX_H_
