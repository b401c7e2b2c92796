// A moment of a database that reads can go back to. Public.

#ifndef RUMCASK_CORE_SNAPSHOT_H_
#define RUMCASK_CORE_SNAPSHOT_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>
#include <memory>

namespace rumcask {

class KeystoreSnapshot;
class Store;

// Made by DB::TakeSnapshot, for ReadOptions and IteratorOptions. What was written before it is seen
// at it, whole batches included, what is written after it is not, on every keystore and whatever
// writers and compaction do. Thread-safe. May outlive the DB object, and Close.
//
// While it exists, replaced values stay on disk and the index keeps in memory where they are. That
// memory is bounded by Options::max_undo_bytes: beyond it the oldest snapshot is given up, not the
// writer held up, and every read at that one returns ResourceExhausted. A snapshot does not survive
// the end of the process.
class Snapshot {
 public:
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  // The version of the newest write it sees; 0 for an empty database.
  uint64_t version() const;

 private:
  friend class DB;
  Snapshot(std::shared_ptr<Store> store, std::shared_ptr<const KeystoreSnapshot> keystore_snapshot);

  std::shared_ptr<Store> store_;
  std::shared_ptr<const KeystoreSnapshot> keystore_snapshot_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_SNAPSHOT_H_
