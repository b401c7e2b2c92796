// Keys in order, in memory. This is the btree keystore, and the buffer in front of an index on
// disk.

#ifndef RUMCASK_CORE_VERSIONS_ORDERED_MAP_H_
#define RUMCASK_CORE_VERSIONS_ORDERED_MAP_H_

#include "rumcask/require_cxx17.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/btree_map.h"
#include "absl/types/span.h"
#include "rumcask/empty_ranges.h"
#include "rumcask/key_block.h"
#include "rumcask/key_range.h"
#include "rumcask/key_version.h"
#include "rumcask/keystore.h"
#include "rumcask/location.h"
#include "rumcask/mutex.h"
#include "rumcask/past_versions.h"

namespace rumcask {

// Maps each key to the number and location of its newest record. A version that a snapshot sees is
// given to the past versions before it is replaced here.
//
// The keys are cut into parts. Each part is a B-tree with its own lock, so that readers and the
// writer hardly ever meet. The writer looks for a key's place without any lock, because nobody else
// changes anything, and takes the part's lock only for the change. The writer also splits and
// removes parts; for that it keeps the readers out of all parts for some hundred nanoseconds.
//
// Set, Relocate and Insert: one thread at a time. Load and FinishLoad: several threads, but not
// beside those three. Everything else: any thread at any time.
class OrderedMap {
 public:
  // What becomes of a key that is deleted.
  enum class Deletes {
    kForget,  // a deleted key leaves no trace
    kKeep,    // it stays as an entry without location, because something older is elsewhere
  };

  // `past` and `empty` must outlive the map.
  OrderedMap(Deletes deletes, PastVersions* past, EmptyRanges* empty);

  // Whether the key has an entry.
  bool Get(std::string_view key, KeyVersion* version) const;
  // These do what Keystore's functions of the same names promise, for this map alone.
  Location Set(std::string_view key, Location location, uint64_t sequence);
  bool Relocate(std::string_view key, Location from, Location to);
  // Adds a key that the map does not have. Does not keep for snapshots what an older source has of
  // it.
  void Insert(std::string_view key, const KeyVersion& version);
  // Does what Keystore::Load promises.
  void Load(absl::Span<const LoadEntry> entries, LoadContext* context);
  // To be called after Load; only for Deletes::kForget.
  void FinishLoad();

  // Replaces `*block` by the first `limit` entries of the range, deletes included, each as it is at
  // some moment during the call. The range must not refer to bytes of `*block`.
  void Scan(const KeyRange& range, size_t limit, KeyBlock* block) const;

  // The number of entries, with those of deleted keys that are kept.
  uint64_t size() const { return size_.load(std::memory_order_relaxed); }
  // Heap bytes that the map takes, approximately.
  uint64_t MemoryBytes() const;

 private:
  using Tree = absl::btree_map<std::string, KeyVersion, std::less<>>;
  struct Part {
    mutable SharedMutex mutex;
    // During a split it may still have entries that now belong to the next part.
    Tree tree ABSL_GUARDED_BY(mutex);
  };
  // Keyed by the least key that a part may have; that of the first part is empty.
  using Parts = absl::btree_map<std::string, std::unique_ptr<Part>, std::less<>>;

  Parts::iterator PartOf(std::string_view key) ABSL_SHARED_LOCKS_REQUIRED(parts_mutex_);
  Parts::const_iterator PartOf(std::string_view key) const ABSL_SHARED_LOCKS_REQUIRED(parts_mutex_);
  // Makes the upper half of a part that is too large a part of its own.
  void Split(std::string_view key);
  // Removes a part that is empty, unless it is the only one.
  void Remove(std::string_view key);
  void ScanForward(const KeyRange& range, size_t limit, KeyBlock* block) const;
  void ScanBackward(const KeyRange& range, size_t limit, KeyBlock* block) const;

  void Add(Part* part, Tree::iterator hint, std::string_view key, const KeyVersion& version)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(part->mutex);
  Tree::iterator Erase(Part* part, Tree::iterator it) ABSL_EXCLUSIVE_LOCKS_REQUIRED(part->mutex);

  const Deletes deletes_;
  Mutex load_mutex_;
  PastVersions* const past_;
  EmptyRanges* const empty_;
  mutable ReadMostlyMutex parts_mutex_;
  Parts parts_ ABSL_GUARDED_BY(parts_mutex_);
  std::atomic<uint64_t> size_{0};
  std::atomic<uint64_t> key_bytes_{0};  // heap bytes of long keys
  std::atomic<uint64_t> part_count_{1};
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_VERSIONS_ORDERED_MAP_H_
