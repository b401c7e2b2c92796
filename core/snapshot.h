// A state of the database that reads can go back to. Public.

#ifndef RUMCASK_CORE_SNAPSHOT_H_
#define RUMCASK_CORE_SNAPSHOT_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>
#include <memory>

namespace rumcask {

class KeystoreSnapshot;
class Store;

// Made by DB::TakeSnapshot, for ReadOptions and IteratorOptions. Reads at a snapshot see all writes
// that came before it, with whole batches, and none that came after it. This holds on every
// keystore, whatever writers and compaction do. Thread-safe. May outlive the DB object, and Close.
//
// While a snapshot exists, replaced values stay on disk, and the index keeps their locations in
// memory. That memory is bounded by Options::max_undo_bytes. The segments that nothing but
// snapshots needs may take as much as CompactionOptions::max_space_amplification allows the others,
// and 16 segments. Beyond either bound writers do not wait; instead the oldest snapshot is given
// up, and every read at it returns ResourceExhausted. A snapshot does not survive the end of the
// process.
class Snapshot {
 public:
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  // The version of the newest write that the snapshot sees; 0 for an empty database.
  uint64_t version() const;

 private:
  friend class DB;
  Snapshot(std::shared_ptr<Store> store, std::shared_ptr<const KeystoreSnapshot> keystore_snapshot);

  std::shared_ptr<Store> store_;
  std::shared_ptr<const KeystoreSnapshot> keystore_snapshot_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_SNAPSHOT_H_
