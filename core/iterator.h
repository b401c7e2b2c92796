// Walking the keys of a database. Public.

#ifndef RUMCASK_CORE_ITERATOR_H_
#define RUMCASK_CORE_ITERATOR_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace rumcask {

struct IteratorOptions {
  // Only keys k with lower <= k < upper, bytewise; empty means no bound.
  std::string lower;
  std::string upper;
  // Only keys that begin with this.
  std::string prefix;
  // Do not read values.
  bool keys_only = false;
  // Ask for bytewise order; Unimplemented on an unordered keystore. Default: any order.
  bool ordered = false;
};

// Yields every key that is present from NewIterator until the end exactly once. A key that is
// written meanwhile comes at most once, with a value it had during the walk. Not thread-safe; any
// number may be open, beside writers, and past Close.
//
//   for (; it->Valid(); it->Next()) Use(it->key(), it->value());
//   if (!it->status().ok()) ...
//
// A damaged record does not end the walk: it is skipped and status() tells of the first one.
class Iterator {
 public:
  virtual ~Iterator() = default;
  virtual bool Valid() const = 0;
  virtual void Next() = 0;
  // Valid until the next call of Next.
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  virtual uint64_t version() const = 0;
  virtual absl::Status status() const = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_ITERATOR_H_
