#include "keystores/lmdb/lmdb_keystore.h"

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/plugin/disk_index.h"
#include "core/plugin/index_directory.h"
#include "keystores/lmdb/lmdb_index.h"

namespace rumcask {

KeystoreFactory LmdbKeystore() {
  KeystoreFactory factory;
  factory.traits.name = "lmdb";
  factory.traits.ordered = true;
  factory.traits.persistent = true;
  factory.traits.max_key_bytes = kLmdbMaxKeyBytes;
  // Each record that is moved is a write to the index.
  factory.traits.max_space_amplification = 2;
  factory.open_index =
      [](const DiskIndexConfig& config) -> absl::StatusOr<std::unique_ptr<DiskIndex>> {
    if (!config.read_only) {
      absl::Status status = MakeIndexDirectory(config.path);
      if (!status.ok()) return status;
    }
    return OpenLmdbIndex(config);
  };
  factory.remove_index = RemoveIndexDirectory;
  return factory;
}

}  // namespace rumcask
