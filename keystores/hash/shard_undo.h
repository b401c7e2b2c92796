// What open snapshots still see of one shard of the hash keystore.

#ifndef RUMCASK_KEYSTORES_HASH_SHARD_UNDO_H_
#define RUMCASK_KEYSTORES_HASH_SHARD_UNDO_H_

#include <cstddef>
#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"

#include "core/location.h"
#include "core/snapshot_registry.h"
#include "keystores/hash/digest_table.h"

namespace rumcask {

// Undo records. Each snapshot begins an epoch, named by its number; the first change of a digest in
// an epoch is preceded by a record of where it was. What a snapshot sees of a digest is its first
// record of that epoch or a later one; without one, it is what the table says. So nothing compares
// the numbers of records of the log, and moving one needs no undo record. Not thread-safe.
class ShardUndo {
 public:
  // Memory of one record, about, the table's share included.
  static constexpr size_t kRecordBytes = 64;

  // To be called before a change in `epoch`, with the place before. Returns whether it was the
  // epoch's first, so that a record was made.
  bool Record(const StoredDigest& digest, uint64_t epoch, Location before) {
    Changes& changes = digests_[digest];
    if (!changes.empty() && changes.back().epoch == epoch) return false;
    changes.push_back({epoch, before});
    return true;
  }

  // Whether the snapshot `epoch` sees something other of the digest than the table says; it is put
  // into `*location`, none if it sees no such key.
  bool Find(const StoredDigest& digest, uint64_t epoch, Location* location) const {
    auto it = digests_.find(digest);
    return it != digests_.end() && Find(it->second, epoch, location);
  }

  // Calls visit(digest, location) for each digest of which the snapshot sees something else.
  template <typename Visitor>
  void ForEach(uint64_t epoch, Visitor visit) const {
    for (const auto& [digest, changes] : digests_) {
      Location location;
      if (Find(changes, epoch, &location)) visit(digest, location);
    }
  }

  // Forgets the records that none of the open snapshots sees. Returns how many.
  size_t Trim(const OpenSnapshots& open) {
    size_t forgotten = 0;
    for (auto it = digests_.begin(); it != digests_.end();) {
      Changes& changes = it->second;
      size_t kept = 0;
      uint64_t previous = 0;  // epoch of the record before, which hides this one from older epochs
      bool first = true;
      for (size_t i = 0; i < changes.size(); ++i) {
        const Change change = changes[i];
        const bool seen = open.NewestIn(first ? 0 : previous + 1, change.epoch + 1) != nullptr;
        first = false;
        previous = change.epoch;
        if (seen) changes[kept++] = change;
      }
      forgotten += changes.size() - kept;
      changes.resize(kept);
      if (kept == 0) {
        digests_.erase(it++);
      } else {
        ++it;
      }
    }
    return forgotten;
  }

  bool empty() const { return digests_.empty(); }

 private:
  struct Change {
    uint64_t epoch = 0;
    Location before;
  };
  using Changes = absl::InlinedVector<Change, 1>;

  static bool Find(const Changes& changes, uint64_t epoch, Location* location) {
    for (const Change& change : changes) {
      if (change.epoch < epoch) continue;
      *location = change.before;
      return true;
    }
    return false;
  }

  absl::flat_hash_map<StoredDigest, Changes> digests_;
};

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_HASH_SHARD_UNDO_H_
