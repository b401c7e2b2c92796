// Versions of keys that nobody sees any more but open snapshots.

#ifndef RUMCASK_CORE_PAST_VERSIONS_H_
#define RUMCASK_CORE_PAST_VERSIONS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"

#include "core/key_block.h"
#include "core/key_range.h"
#include "core/key_version.h"
#include "core/keystore.h"
#include "core/mutex.h"
#include "core/snapshot_registry.h"

namespace rumcask {

// Empty while no snapshot is open. Whoever replaces a version, in memory or in an index on disk,
// has it kept here first; it stays as long as a snapshot between it and what replaced it is open.
//
// A version is kept with the number that ended it, or with a higher one if what came between was
// kept too: of a key's versions, a snapshot s sees the one with the highest number <= s, and that
// only if it did not end before s.
//
// TakeSnapshot: one thread at a time. Everything else: any thread, any time.
class PastVersions {
 public:
  explicit PastVersions(uint64_t max_undo_bytes);

  std::shared_ptr<const KeystoreSnapshot> TakeSnapshot(uint64_t sequence);
  SnapshotUsage Usage() const { return snapshots_.Usage(); }

  // Whether anything has to be kept. One relaxed load.
  bool wanted() const { return snapshots_.any(); }
  // Keeps `version`, which record `end` replaces, if a snapshot sees it. May be called again with
  // the same version.
  void Keep(std::string_view key, const KeyVersion& version, uint64_t end);
  // Gives up the oldest snapshots beyond the bound. To be called after Keep, without locks.
  void KeepToBound() { snapshots_.KeepToBound(); }

  // Whether one of the versions here is what the snapshot sees of the key. To be asked after
  // looking at what is newer, lest a version moves here in between. ResourceExhausted if the
  // snapshot was given up.
  absl::Status Find(const KeystoreSnapshot& snapshot, std::string_view key, bool* found,
                    KeyVersion* version) const;
  // Replaces `*block` by the first `limit` keys of the range that have versions here, with the one
  // that the snapshot sees, which may be a delete, or with kNotSeen for a number if it sees none:
  // who looks for what it sees shall learn how far the look went.
  absl::Status Scan(const KeystoreSnapshot& snapshot, const KeyRange& range, size_t limit,
                    KeyBlock* block) const;
  static constexpr uint64_t kNotSeen = 0;

 private:
  struct Past {
    KeyVersion version;
    uint64_t end = 0;
    uint64_t watcher = 0;  // the open snapshot at whose end it has to be looked at
  };
  // By ascending number.
  using Versions = std::vector<Past>;
  using Tree = absl::btree_map<std::string, Versions, std::less<>>;
  // For each open snapshot, the keys that have a version it watches.
  using Watched = std::map<uint64_t, std::vector<std::string>>;

  static uint64_t Bytes(std::string_view key);
  static const KeyVersion* SeenAt(const Versions& versions, uint64_t sequence);
  template <typename Iterator>
  static void ScanFrom(Iterator it, Iterator end, uint64_t sequence, size_t limit, KeyBlock* block);

  // The newest open snapshot in [begin, end), or end().
  Watched::iterator NewestIn(uint64_t begin, uint64_t end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(uint64_t sequence, const OpenSnapshots& open);
  // Drops what of the key no snapshot sees; `ended` watches nothing any more. Returns the memory
  // set free.
  uint64_t Trim(const std::string& key, uint64_t ended) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable SharedMutex mutex_;
  Tree tree_ ABSL_GUARDED_BY(mutex_);
  Watched watched_ ABSL_GUARDED_BY(mutex_);
  SnapshotRegistry snapshots_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_PAST_VERSIONS_H_
