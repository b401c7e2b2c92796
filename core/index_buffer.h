// Keys in order, in memory, with what open snapshots see of them.
//
// The btree keystore is one of these.

#ifndef RUMCASK_CORE_INDEX_BUFFER_H_
#define RUMCASK_CORE_INDEX_BUFFER_H_

#include <atomic>
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
#include "absl/types/span.h"

#include "core/key_block.h"
#include "core/keystore.h"
#include "core/location.h"
#include "core/mutex.h"
#include "core/snapshot_registry.h"

namespace rumcask {

// A B-tree from each key to the number and location of its newest record, and a second one, empty
// while no snapshot is open, with the older versions that snapshots still see: a version is kept
// from its replacement on iff a snapshot was taken between the two. A snapshot s sees of a key the
// newest version with a number <= s.
//
// Apply, Relocate and TakeSnapshot: one thread at a time. Everything else: any thread, any time.
// Readers share a lock that waiting writers pass through first.
class IndexBuffer {
 public:
  explicit IndexBuffer(uint64_t max_undo_bytes);

  // What Keystore's functions of the same names promise.
  bool Get(std::string_view key, Location* location) const;
  absl::Status GetAt(const KeystoreSnapshot& snapshot, std::string_view key,
                     Location* location) const;
  Location Apply(std::string_view key, Location location, uint64_t sequence);
  bool Relocate(std::string_view key, Location from, Location to);
  std::shared_ptr<const KeystoreSnapshot> TakeSnapshot(uint64_t sequence);
  SnapshotUsage GetSnapshotUsage() const { return snapshots_.Usage(); }
  absl::Status Scan(const KeystoreSnapshot& snapshot, const KeyRange& range, size_t limit,
                    KeyBlock* block) const;
  void Load(absl::Span<const LoadEntry> entries, LoadContext* context);
  void FinishLoad();

  uint64_t size() const { return size_.load(std::memory_order_relaxed); }
  uint64_t MemoryBytes() const;

 private:
  // While the log is loaded, a delete too; after that only puts.
  struct Newest {
    uint64_t sequence = 0;
    Location location;
    bool is_delete = false;
  };
  // A version that was the newest from record `begin` until record `end`.
  struct Past {
    uint64_t begin = 0;
    uint64_t end = 0;
    Location location;
  };
  using Tree = absl::btree_map<std::string, Newest, std::less<>>;
  // Ascending, disjoint intervals. Between them, the key was not there.
  using PastTree = absl::btree_map<std::string, std::vector<Past>, std::less<>>;
  // For each open snapshot the keys of which it is the newest to see some past version, once for
  // each such version: what has to be looked at when it ends.
  using KeptFor = std::map<uint64_t, std::vector<std::string>>;

  // Memory of a past version, about.
  static uint64_t PastBytes(std::string_view key);
  // What the snapshot sees of a key with these versions, either of which may be null.
  static const Newest* SeenAt(const Newest* newest, const std::vector<Past>* past,
                              uint64_t sequence, Newest* storage);
  // Merges ranges of the two trees, both ascending or both descending by `before`. Returns the last
  // key it looked at if there is more to look at and this is enough for one hold of the lock.
  template <typename Iterator, typename PastIterator, typename Before>
  static const std::string* Merge(Iterator it, Iterator end, PastIterator past,
                                  PastIterator past_end, Before before, uint64_t sequence,
                                  size_t limit, KeyBlock* block);

  // Merge over a range of keys.
  const std::string* ScanSome(const KeyRange& range, uint64_t sequence, size_t limit,
                              KeyBlock* block) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Keeps the version that record `end` replaces, if a snapshot sees it. Returns the memory it
  // takes.
  uint64_t Keep(std::string_view key, const Newest& version, uint64_t end)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The newest open snapshot in [begin, end), or end().
  KeptFor::iterator NewestIn(uint64_t begin, uint64_t end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(uint64_t sequence, const OpenSnapshots& open);
  // Of `key`, drops the version of which the snapshot that `ended` was the newest to see it, or
  // leaves it to the one that is now. Returns the memory set free.
  uint64_t Trim(std::string key, uint64_t ended) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable SharedMutex mutex_;
  Tree newest_ ABSL_GUARDED_BY(mutex_);
  PastTree past_ ABSL_GUARDED_BY(mutex_);
  KeptFor kept_for_ ABSL_GUARDED_BY(mutex_);
  uint64_t key_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::atomic<uint64_t> size_{0};
  SnapshotRegistry snapshots_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_BUFFER_H_
