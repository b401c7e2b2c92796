#include "keystores/rocksdb/rocksdb_keystore.h"

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/plugin/disk_index.h"
#include "core/plugin/index_directory.h"
#include "keystores/rocksdb/rocksdb_index.h"

namespace rumcask {

KeystoreFactory RocksdbKeystore(const RocksdbOptions& options) {
  KeystoreFactory factory;
  factory.traits.name = "rocksdb";
  factory.traits.ordered = true;
  factory.traits.persistent = true;
  // Each record that is moved is a write to the index.
  factory.traits.max_space_amplification = 2;
  factory.open_index =
      [options](const DiskIndexConfig& config) -> absl::StatusOr<std::unique_ptr<DiskIndex>> {
    if (!config.read_only) {
      absl::Status status = MakeIndexDirectory(config.path);
      if (!status.ok()) return status;
    }
    return OpenRocksdbIndex(config, options);
  };
  factory.remove_index = RemoveIndexDirectory;
  return factory;
}

}  // namespace rumcask
