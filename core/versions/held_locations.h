// Locations that iterators have looked up ahead and not used yet.
//
// An iterator copies a block of locations from the keystore, and its caller may sleep before it
// uses them. Compaction moves records meanwhile. It cannot wait for the caller, so it brings the
// block up to date instead: once it has moved records, it replaces their old locations in all
// blocks, and only then waits for those who were reading.

#ifndef RUMCASK_CORE_VERSIONS_HELD_LOCATIONS_H_
#define RUMCASK_CORE_VERSIONS_HELD_LOCATIONS_H_

#include <list>

#include "absl/functional/function_ref.h"

#include "core/plugin/location.h"
#include "core/system/mutex.h"

namespace rumcask {

// Where a record is by now. A location that does not exist means that it is gone.
using NewPlace = absl::FunctionRef<Location(Location)>;

// The block of one iterator, which implements this.
class LocationHolder {
 public:
  // To be held from before locations are looked up in the keystore until they are in the block, and
  // while one of them is read. It comes before the locks of the keystore.
  Mutex& mutex() ABSL_LOCK_RETURNED(mutex_) { return mutex_; }
  // Replaces each location in the block.
  virtual void Replace(NewPlace new_place) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;

 protected:
  ~LocationHolder() = default;
  Mutex mutex_;
};

// All blocks of an open database. Thread-safe.
class HeldLocations {
 public:
  using Registration = std::list<LocationHolder*>::iterator;

  // Once the holder is whole: another thread may call it before this returns.
  Registration Add(LocationHolder* holder) {
    MutexLock lock(mutex_);
    return holders_.insert(holders_.end(), holder);
  }
  void Remove(Registration holder) {
    MutexLock lock(mutex_);
    holders_.erase(holder);
  }
  // Brings all blocks up to date. Waits for iterators that are looking up or reading right now.
  void Replace(NewPlace new_place) {
    MutexLock lock(mutex_);
    for (LocationHolder* holder : holders_) {
      MutexLock block(holder->mutex());
      holder->Replace(new_place);
    }
  }

 private:
  Mutex mutex_;  // acquired before those of the holders
  std::list<LocationHolder*> holders_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_VERSIONS_HELD_LOCATIONS_H_
