// What makes a keystore: a value of Options::keystore. Public.
//
// A program that only chooses a keystore needs nothing else of the plugin interface. A program that
// implements one needs keystore.h for a keystore in memory, or disk_index.h for one on disk.

#ifndef RUMCASK_CORE_PLUGIN_KEYSTORE_FACTORY_H_
#define RUMCASK_CORE_PLUGIN_KEYSTORE_FACTORY_H_

#include "rumcask/require_cxx17.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rumcask {

class DiskIndex;
struct DiskIndexConfig;
class Keystore;

// What a keystore can do. Known before a keystore is made, so that a request it cannot meet is
// refused before any file is touched.
struct KeystoreTraits {
  // Letters, digits, '_' and '-'. Kept in MANIFEST. A plugin whose stored form changes must change
  // its name.
  std::string name;
  // The keystore implements Scan, in bytewise order of the keys, and not NewCursor. If false, it
  // implements NewCursor and not Scan.
  bool ordered = false;
  // The keystore keeps its own files under index/<name>, which an opening brings up to date instead
  // of rebuilding them.
  bool persistent = false;
  // Longer keys are refused with InvalidArgument before any I/O.
  size_t max_key_bytes = 65535;
  // What CompactionOptions::max_space_amplification is unless the user says otherwise.
  double max_space_amplification = 1.5;
};

// The options that a keystore is made with.
struct KeystoreConfig {
  // Bound on the memory for what only snapshots see.
  uint64_t max_undo_bytes = uint64_t{256} << 20;
  // Whether the keystore may have its own threads, for work that nobody waits for.
  bool background = false;
};

// Makes keystores of one kind; a value of Options::keystore. Copyable. `create` is set if
// traits.persistent is false, `open_index` and `remove_index` if it is true.
struct KeystoreFactory {
  KeystoreTraits traits;
  // For keystores in memory: makes an empty one.
  std::function<absl::StatusOr<std::unique_ptr<Keystore>>(const KeystoreConfig&)> create;
  // For keystores on disk: opens or makes the index that core puts buffers in front of. DataLoss or
  // FailedPrecondition if what is at the path is not an index that it can use; core then removes it
  // and builds the index anew.
  std::function<absl::StatusOr<std::unique_ptr<DiskIndex>>(const DiskIndexConfig&)> open_index;
  // For keystores on disk: removes whatever is at the path. OK if nothing is.
  std::function<absl::Status(const std::string& path)> remove_index;
  // For keystores on disk: the size of a buffer for changes that are on their way to the index.
  // Memory for them is up to three times this, and for each writing thread one write more. Any
  // number is allowed; Options::replay_bytes bounds the buffers, too.
  uint64_t buffer_bytes = uint64_t{64} << 20;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_PLUGIN_KEYSTORE_FACTORY_H_
