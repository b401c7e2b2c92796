// A range of keys as a snapshot sees it, merged from the places that hold versions.

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

// The sources of newest versions, in the order in which entries move from one to the next.
class ScanSources {
 public:
  // Takes hold of the sources as they are now. What has come to a source by then is found in that
  // source or in a later one, and stays there unless it is replaced, however long the scan takes.
  virtual void Capture() = 0;
  // The number of sources captured.
  virtual size_t count() const = 0;
  // Replaces `*block` by the first `limit` entries that source `i` has in the range, deletes
  // included; by fewer only if the range ends before. The range does not refer to bytes of
  // `*block`.
  virtual absl::Status Fetch(size_t i, const KeyRange& range, size_t limit, KeyBlock* block) = 0;

 protected:
  ~ScanSources() = default;
};

// Replaces `*block` by the first `limit` keys of the range as the snapshot sees them; by fewer only
// if the range ends before. For each key the sources are read before the past versions, because a
// version moves from the former to the latter and could be missed otherwise.
//
// Notes in `empty` where the scan had to step over much, such as deletes, keys newer than the
// snapshot, or versions that only other snapshots see, so that the next scan need not do it again.
absl::Status ScanSnapshot(ScanSources* sources, const PastVersions& past, EmptyRanges* empty,
                          const KeystoreSnapshot& snapshot, const KeyRange& range, size_t limit,
                          KeyBlock* block);

// Looks from `key` in both directions for keys that exist now, over at most `most` entries on each
// side. Notes in `empty` how far there are none, if that is worth it. Returns how many entries it
// stepped over.
uint64_t ExploreAround(ScanSources* sources, EmptyRanges* empty, std::string_view key, size_t most);

}  // namespace rumcask

#endif  // RUMCASK_CORE_VERSIONS_SNAPSHOT_SCAN_H_
