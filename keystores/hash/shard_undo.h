// What open snapshots still see of one shard of the hash keystore.

#ifndef RUMCASK_KEYSTORES_HASH_SHARD_UNDO_H_
#define RUMCASK_KEYSTORES_HASH_SHARD_UNDO_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/container/btree_map.h"

#include "core/plugin/location.h"
#include "core/versions/counted_allocator.h"
#include "keystores/hash/digest_table.h"

namespace rumcask {

// The undo records of a shard. Each snapshot begins an epoch, named by its number. Before the first
// change of a digest in an epoch, a record of its location is added. A snapshot sees a digest's
// first record of its own epoch or a later one; if there is none, it sees what the table has. So
// the numbers of log records are never compared, and moving a record needs no undo record. Not
// thread-safe.
class ShardUndo {
 public:
  // `bytes` counts the memory of this object, except for the object itself.
  explicit ShardUndo(std::atomic<uint64_t>* bytes)
      : records_(CountedAllocator<Records::value_type>(bytes)) {}

  // Whether the digest has a record of this epoch or a later one.
  bool HasSince(const StoredDigest& digest, uint64_t epoch) const {
    const auto it = records_.lower_bound({digest, epoch});
    return it != records_.end() && it->first.digest == digest;
  }

  // Adds the record for an epoch in which the digest has none.
  void Add(const StoredDigest& digest, uint64_t epoch, Location before) {
    records_.emplace(Key{digest, epoch}, before);
  }

  // The first epoch whose snapshot may see the record that the digest has in `epoch`. Earlier
  // snapshots see the digest's record before that one instead.
  uint64_t SeenFrom(const StoredDigest& digest, uint64_t epoch) const {
    const auto it = records_.lower_bound({digest, epoch});
    if (it == records_.begin() || !(std::prev(it)->first.digest == digest)) {
      return 0;
    }
    return std::prev(it)->first.epoch + 1;
  }

  // Remove deletes the record that the digest has in `epoch`; Move gives it to an earlier epoch.
  void Remove(const StoredDigest& digest, uint64_t epoch) { records_.erase({digest, epoch}); }
  void Move(const StoredDigest& digest, uint64_t epoch, uint64_t to) {
    const auto it = records_.find({digest, epoch});
    const Location before = it->second;
    records_.erase(it);
    Add(digest, to, before);
  }

  // Whether the snapshot `epoch` sees something else of the digest than the table has. If so, sets
  // `*location` to what it sees, which does not exist if the snapshot sees no such key.
  bool Find(const StoredDigest& digest, uint64_t epoch, Location* location) const {
    const auto it = records_.lower_bound({digest, epoch});
    if (it == records_.end() || !(it->first.digest == digest)) return false;
    *location = it->second;
    return true;
  }

  // Calls visit(digest, location) for each digest of which the snapshot sees something else than
  // the table has.
  template <typename Visitor>
  void ForEach(uint64_t epoch, Visitor visit) const {
    std::optional<StoredDigest> visited;
    for (const auto& [key, before] : records_) {
      if (key.epoch < epoch || (visited.has_value() && *visited == key.digest)) continue;
      visited = key.digest;
      visit(key.digest, before);
    }
  }

  template <typename Visitor>
  void VisitLocations(Visitor visit) const {
    for (const auto& [key, before] : records_) visit(before);
  }

  bool empty() const { return records_.empty(); }

 private:
  struct Key {
    friend bool operator<(const Key& a, const Key& b) {
      if (a.digest.low != b.digest.low) return a.digest.low < b.digest.low;
      if (a.digest.high != b.digest.high) return a.digest.high < b.digest.high;
      return a.epoch < b.epoch;
    }
    StoredDigest digest;
    uint64_t epoch;
  };
  using Records =
      absl::btree_map<Key, Location, std::less<>, CountedAllocator<std::pair<const Key, Location>>>;

  Records records_;
};

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_HASH_SHARD_UNDO_H_
