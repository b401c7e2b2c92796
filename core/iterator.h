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

struct IteratorOptions {
  // The moment to walk over. Null: that of NewIterator.
  std::shared_ptr<const Snapshot> snapshot;
  // Only keys k with lower <= k < upper, bytewise; empty means no bound.
  std::string lower;
  std::string upper;
  // Only keys that begin with this; together with the bounds, both must hold.
  std::string prefix;
  // No values. On an ordered keystore nothing is read from the log then, so that damaged records
  // are not noticed.
  bool keys_only = false;
  // Ask for bytewise order and for Seek, SeekToLast and Prev: Unimplemented at once on an unordered
  // keystore. Default: whatever order the keystore has.
  bool ordered = false;
};

// Yields each key that existed at one moment - the snapshot's, or that of NewIterator - exactly
// once, with its value of that moment, whatever writers do. Starts at the first key. Not
// thread-safe; any number may be open, beside writers. Stays valid past Close and the DB object.
//
//   for (; it->Valid(); it->Next()) Use(it->key(), it->value());
//   if (!it->status().ok()) ...
//
// A damaged record does not end the walk: it is skipped and status() tells of the first one. If the
// snapshot is given up (see snapshot.h) the walk ends and status() is ResourceExhausted, damage or
// not.
//
// It is a snapshot while it exists, with the cost of one.
class Iterator {
 public:
  virtual ~Iterator() = default;

  virtual bool Valid() const = 0;
  // To the next key. Only while Valid.
  virtual void Next() = 0;

  // These move among the keys in range; on an unordered keystore they end the walk, and status() is
  // Unimplemented. Seek: to the first key >= target. Prev: to the key before, only while Valid.
  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  virtual void Seek(std::string_view target) = 0;
  virtual void Prev() = 0;

  // Valid until the iterator moves.
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  virtual uint64_t version() const = 0;
  virtual absl::Status status() const = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_ITERATOR_H_
