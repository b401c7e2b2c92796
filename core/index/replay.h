// Fills a keystore from the log.

#ifndef RUMCASK_CORE_INDEX_REPLAY_H_
#define RUMCASK_CORE_INDEX_REPLAY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"

#include "core/damage.h"
#include "core/format/limits.h"
#include "core/log/log.h"
#include "core/plugin/keystore.h"
#include "core/system/file_system.h"

namespace rumcask {

struct ReplayOptions {
  // Take what verifies where damage hides keys, and tell of it in `*damages`; otherwise that is the
  // error.
  bool tolerate = false;
  // In ascending order of the numbers, by one thread.
  bool in_order = false;
  // Only records with higher numbers.
  uint64_t above = 0;
  // InvalidArgument, with their count and one of them in hex, if longer keys than this have values.
  size_t max_key_bytes = kMaxKeyBytes;
  // Asked after each segment; may be empty. False ends the loading, which is no error.
  std::function<bool()> goes_on;
  // Told after each segment; may be empty.
  std::function<void(size_t done, size_t all)> progress;
};

// Offers the records of the log to the keystore, from key tables where they are whole and by
// reading the segment where not, several segments at a time. Adds to the segments' live bytes.
//
// Without a keystore it only looks at the lengths of the keys, and changes nothing.
//
// A record that cannot be read is no obstacle as long as a key table tells its key. Where none
// does, the damage is named by file and offset.
absl::Status ReplayLog(Directory* directory, Log* segments, Keystore* keystore,
                       const ReplayOptions& load, std::vector<Damage>* damages);

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_REPLAY_H_
