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
  // Where damage hides keys, load what verifies and add the damage to `*damages`. Otherwise such
  // damage is the error.
  bool tolerate = false;
  // Load in ascending order of the numbers, on one thread.
  bool in_order = false;
  // Load only records with higher numbers than this.
  uint64_t above = 0;
  // If keys longer than this have values, the error is InvalidArgument, with their count and one of
  // them in hexadecimal.
  size_t max_key_bytes = kMaxKeyBytes;
  // Called after each segment; may be empty. If it returns false, loading ends without an error.
  std::function<bool()> goes_on;
  // Called after each segment with how many are done; may be empty.
  std::function<void(size_t done, size_t all)> progress;
};

// Offers the records of the log to the keystore, from key tables where they are whole and by
// reading the segment where not, several segments at a time. Adds to the segments' live bytes.
//
// Without a keystore it only checks the lengths of the keys, and changes nothing.
//
// A damaged record is loaded like any other if a key table has its key. If none has, the error or
// the damage names file and offset.
absl::Status ReplayLog(Directory* directory, Log* log, Keystore* keystore,
                       const ReplayOptions& load, std::vector<Damage>* damages);

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_REPLAY_H_
