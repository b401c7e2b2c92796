// Keys in order, in memory: the btree keystore, and what stands in front of an index on disk.

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

// From each key to the number and location of its newest record. What a record replaces goes to the
// past versions if a snapshot sees it, before it is gone here.
//
// The keys are cut into parts, each a B-tree with a lock of its own, so that readers and the writer
// hardly ever meet: the writer looks for the place of a key without any lock, since nobody else
// changes anything, and takes the part's for the change alone. Parts are split and removed by the
// writer, for which it keeps the readers out of all for some hundred nanoseconds.
//
// Apply, Relocate and Insert: one thread at a time. Load and FinishLoad: not beside them.
// Everything else: any thread, any time.
class OrderedMap {
 public:
  enum class Deletes {
    kForget,  // a deleted key leaves no trace
    kKeep,    // it is an entry without location: something older is elsewhere
  };

  // `past` and `empty` must outlive the buffer.
  OrderedMap(Deletes deletes, PastVersions* past, EmptyRanges* empty);

  // Whether the key has an entry.
  bool Get(std::string_view key, KeyVersion* version) const;
  // What Keystore's functions of the same names promise, of this buffer alone.
  Location Apply(std::string_view key, Location location, uint64_t sequence);
  bool Relocate(std::string_view key, Location from, Location to);
  // Adds a key that it does not have. Nothing is kept of what an older source has of it.
  void Insert(std::string_view key, const KeyVersion& version);
  void Load(absl::Span<const LoadEntry> entries, LoadContext* context);
  // For Deletes::kForget, after Load.
  void FinishLoad();

  // Replaces `*block` by the first `limit` entries of the range, deletes included, each as it is at
  // some moment of the call. The range may not refer to the block.
  void Scan(const KeyRange& range, size_t limit, KeyBlock* block) const;

  uint64_t size() const { return size_.load(std::memory_order_relaxed); }
  uint64_t MemoryBytes() const;

 private:
  using Tree = absl::btree_map<std::string, KeyVersion, std::less<>>;
  struct Part {
    mutable SharedMutex mutex;
    // May have entries of the next part for as long as a split takes.
    Tree tree ABSL_GUARDED_BY(mutex);
  };
  // From the least key that a part may have; the first one's is empty.
  using Parts = absl::btree_map<std::string, std::unique_ptr<Part>, std::less<>>;

  Parts::iterator PartOf(std::string_view key) ABSL_SHARED_LOCKS_REQUIRED(parts_mutex_);
  Parts::const_iterator PartOf(std::string_view key) const ABSL_SHARED_LOCKS_REQUIRED(parts_mutex_);
  // The upper half of a part that is too large becomes one of its own.
  void Split(std::string_view key);
  // A part that is empty goes, if there is another.
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
  std::atomic<uint64_t> key_bytes_{0};  // on the heap
  std::atomic<uint64_t> part_count_{1};
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_VERSIONS_ORDERED_MAP_H_
