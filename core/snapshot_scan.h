// A range of keys as a snapshot sees it, put together from where its versions are.

#ifndef RUMCASK_CORE_SNAPSHOT_SCAN_H_
#define RUMCASK_CORE_SNAPSHOT_SCAN_H_

#include <cstddef>
#include <functional>
#include <vector>

#include "absl/status/status.h"

#include "core/key_block.h"
#include "core/key_range.h"
#include "core/keystore.h"
#include "core/past_versions.h"

namespace rumcask {

// Replaces `*block` by the first `limit` entries of the range, deletes included, fewer only at its
// end.
using FetchKeys = std::function<absl::Status(const KeyRange& range, size_t limit, KeyBlock* block)>;

// Replaces `*block` by the first `limit` keys of the range as the snapshot sees them, fewer only at
// its end. `sources` are where newest versions are, in the order in which they wander from one to
// the next; so they are looked at, and the past versions last, lest a version is missed on its way.
absl::Status ScanSnapshot(const std::vector<FetchKeys>& sources, const PastVersions& past,
                          const KeystoreSnapshot& snapshot, const KeyRange& range, size_t limit,
                          KeyBlock* block);

}  // namespace rumcask

#endif  // RUMCASK_CORE_SNAPSHOT_SCAN_H_
