// Walking the keys of a database. Public.

#ifndef RUMCASK_CORE_ITERATOR_H_
#define RUMCASK_CORE_ITERATOR_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "rumcask/snapshot.h"

namespace rumcask {

// Which keys to walk, and how.
struct IteratorOptions {
  // The snapshot to walk. Null: the state at the time of NewIterator.
  std::shared_ptr<const Snapshot> snapshot;
  // Only keys k with lower <= k < upper, bytewise; empty means no bound.
  std::string lower;
  std::string upper;
  // Only keys that begin with this. Keys must also lie within the bounds.
  std::string prefix;
  // Leaves the values out. On an ordered keystore nothing is read from the log then, so damaged
  // records are not noticed.
  bool keys_only = false;
  // Requires bytewise order of the keys, and Seek, SeekToLast and Prev. On an unordered keystore
  // NewIterator then returns Unimplemented. By default the keys come in whatever order the keystore
  // has.
  bool ordered = false;
};

// Yields each key that existed at one moment (that of the snapshot, or that of NewIterator) exactly
// once, with its value of that moment, whatever writers do meanwhile. Starts at the first key. Not
// thread-safe. Any number of iterators may be open beside writers. An iterator stays valid after
// Close and after the DB object is destroyed; see DB::Close for keystores on disk.
//
//   for (; it->Valid(); it->Next()) Use(it->key(), it->value());
//   if (!it->status().ok()) ...
//
// A damaged record does not end the walk: it is skipped, and status() reports the first one. If the
// snapshot is given up (see snapshot.h), the walk ends and status() is ResourceExhausted, even if
// there was damage before.
//
// An open iterator is a snapshot and costs what a snapshot costs.
class Iterator {
 public:
  virtual ~Iterator() = default;

  // Whether the iterator is at a key. If not, the walk has ended, or failed: see status().
  virtual bool Valid() const = 0;
  // Moves to the next key. Requires Valid().
  virtual void Next() = 0;

  // These move among the keys in range. On an unordered keystore they end the walk, and status() is
  // Unimplemented. Seek moves to the first key >= target. Prev moves to the key before and requires
  // Valid().
  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  virtual void Seek(std::string_view target) = 0;
  virtual void Prev() = 0;

  // These are of the key that the iterator is at, and require Valid(). The views are valid until it
  // moves.
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  virtual uint64_t version() const = 0;

  // OK, or why the walk is not whole.
  virtual absl::Status status() const = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_ITERATOR_H_
