// What makes a keystore: a value of Options::keystore. Public.
//
// A program that only chooses a keystore needs no more of the plugins' interface than this; one
// that implements a keystore goes on to keystore.h, for one in memory, or disk_index.h, for one on
// disk.

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

// What a keystore can do. Known before one is made, so that a request it can't meet is refused
// before any file is touched.
struct KeystoreTraits {
  // Letters, digits, '_' and '-'. Kept in MANIFEST; a plugin whose stored form changes must change
  // its name.
  std::string name;
  // It has Scan, in bytewise order of the keys, and no NewCursor; otherwise the reverse.
  bool ordered = false;
  // Keeps its own files under index/<name>, to be brought up to date at opening instead of rebuilt.
  bool persistent = false;
  // Longer keys are refused with InvalidArgument before any I/O.
  size_t max_key_bytes = 65535;
};

// What a keystore is told when it is made.
struct KeystoreConfig {
  // Bound on the memory for what snapshots see and nobody else does.
  uint64_t max_undo_bytes = uint64_t{256} << 20;
  // Whether it may have threads of its own, for what need not be done while somebody waits.
  bool background = false;
};

// Makes keystores of one kind; a value of Options::keystore. Copyable. One of the two functions is
// set, by traits.persistent.
struct KeystoreFactory {
  KeystoreTraits traits;
  // In memory.
  std::function<absl::StatusOr<std::unique_ptr<Keystore>>(const KeystoreConfig&)> create;
  // On disk: the index that core puts buffers in front of. DataLoss or FailedPrecondition if what
  // is at the path is no index it can use: it is removed then, and built anew.
  std::function<absl::StatusOr<std::unique_ptr<DiskIndex>>(const DiskIndexConfig&)> open_index;
  // On disk: removes whatever is at the path; OK if nothing is.
  std::function<absl::Status(const std::string& path)> remove_index;
  // On disk: memory for changes that are on their way to the index; up to three times this, and one
  // write more for each thread that writes. Any number: Options::replay_bytes is a bound as well.
  uint64_t buffer_bytes = uint64_t{64} << 20;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_PLUGIN_KEYSTORE_FACTORY_H_
