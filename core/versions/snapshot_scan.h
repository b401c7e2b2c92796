// A range of keys as a snapshot sees it, put together from where its versions are.

#ifndef RUMCASK_CORE_VERSIONS_SNAPSHOT_SCAN_H_
#define RUMCASK_CORE_VERSIONS_SNAPSHOT_SCAN_H_

#include "rumcask/require_cxx17.h"

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"
#include "rumcask/empty_ranges.h"
#include "rumcask/key_block.h"
#include "rumcask/key_range.h"
#include "rumcask/keystore.h"
#include "rumcask/past_versions.h"

namespace rumcask {

// Where the newest versions are, in the order in which they wander from one to the next.
class ScanSources {
 public:
  // Takes hold of what there is now: what has come to a source by then is found in this one or in a
  // later one, and stays there unless it is replaced, however long the scan takes.
  virtual void Capture() = 0;
  // How many there are. Of those that are captured.
  virtual size_t count() const = 0;
  // Replaces `*block` by the first `limit` entries that source `i` has of the range, deletes
  // included, fewer only at its end. The range does not refer to the block.
  virtual absl::Status Fetch(size_t i, const KeyRange& range, size_t limit, KeyBlock* block) = 0;

 protected:
  ~ScanSources() = default;
};

// Replaces `*block` by the first `limit` keys of the range as the snapshot sees them, fewer only at
// its end. For each key the sources are looked at before the past versions, lest a version is
// missed on its way there.
//
// What is stepped over - deletes, keys that are newer than the snapshot, versions that only others
// see - is noted in `empty` where it is much, so that the next scan need not do it again.
absl::Status ScanSnapshot(ScanSources* sources, const PastVersions& past, EmptyRanges* empty,
                          const KeystoreSnapshot& snapshot, const KeyRange& range, size_t limit,
                          KeyBlock* block);

// Looks from `key` on in both directions for keys that are there now, at `most` entries on each
// side, and notes in `empty` how far there are none if that is worth it. Returns how many entries
// it had to step over.
uint64_t ExploreAround(ScanSources* sources, EmptyRanges* empty, std::string_view key, size_t most);

}  // namespace rumcask

#endif  // RUMCASK_CORE_VERSIONS_SNAPSHOT_SCAN_H_
