// The interface of a keystore: the map from every key to the location of its newest record.
//
// The log is the truth; a keystore is a view of it that can be thrown away and rebuilt. core owns
// this interface and calls it. A plugin implements it and depends on nothing else of core except
// the headers that this one includes. core never names a plugin.
//
// How core calls a keystore:
//
//  - Digest runs first for every key, on any thread, under no lock. Expensive work on the key
//    alone, such as hashing, belongs there, because Set runs under the database's one write lock.
//  - Set, Relocate and TakeSnapshot are called by one thread at a time.
//  - Get, GetAt, Scan and cursors look each location up under a lock that Set and Relocate take to
//    change it, or one that orders the two in the same way: compaction frees a segment once no
//    location leads to it and all who were reading before have ended.
//  - Get, GetAt, Prefetch, Scan and cursors run on any thread at any time, beside each other and
//    beside Set. Once Set has returned, every later Get sees its change.
//  - A snapshot is released on any thread at any time, and never outlives its keystore.
//  - FinishForgetting is called on any thread at any time, but not beside itself.
//  - Load and FinishLoad run during opening, before anything else; Load runs on several threads.
//
// Allocation failure ends the process, as everywhere in rumcask; keystores do not report it.

#ifndef RUMCASK_CORE_PLUGIN_KEYSTORE_H_
#define RUMCASK_CORE_PLUGIN_KEYSTORE_H_

#include "rumcask/require_cxx17.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "rumcask/key_block.h"
#include "rumcask/key_range.h"
#include "rumcask/keystore_factory.h"
#include "rumcask/location.h"

namespace rumcask {

// A key, with what the keystore's Digest computed from it. The caller owns the key's bytes.
struct PreparedKey {
  // A key whose digest is still to be filled in.
  explicit PreparedKey(std::string_view k) : key(k) {}
  PreparedKey() = default;

  // The key's bytes.
  std::string_view key;
  // What Digest computed; zeros if the keystore uses none.
  uint64_t digest[2] = {0, 0};
};

// One record of the log, as it is offered to Load.
struct LoadEntry {
  std::string_view key;
  Location location;
  uint64_t sequence = 0;
  bool is_delete = false;
};

// What core offers to a Load.
class LoadContext {
 public:
  virtual ~LoadContext() = default;
  // Whether the record of `entry`, which is being loaded, is newer than the record at `b`, which
  // was. They are of one key. May read the log. Thread-safe.
  virtual bool IsNewer(const LoadEntry& entry, Location b) const = 0;
  // Tells core that the put at `location` lost against a newer record, so that its bytes are dead.
  // The keystore calls this once for each such record, but not for deletes. Thread-safe.
  virtual void Superseded(Location location) = 0;
};

// A state that reads can go back to: it consists of all records with numbers <= sequence() and no
// others. While a snapshot exists, the keystore keeps the locations that later records replace. The
// memory for them is bounded; beyond the bound the keystore gives up the oldest snapshot, and reads
// at it return ResourceExhausted. However much a snapshot keeps, no call takes long because of it:
// what ended snapshots saw is forgotten little by little.
class KeystoreSnapshot {
 public:
  // `sequence` is the number of the newest record that the snapshot sees.
  explicit KeystoreSnapshot(uint64_t sequence) : sequence_(sequence) {}
  virtual ~KeystoreSnapshot() = default;
  KeystoreSnapshot(const KeystoreSnapshot&) = delete;
  KeystoreSnapshot& operator=(const KeystoreSnapshot&) = delete;

  // The number of the newest record that the snapshot sees.
  uint64_t sequence() const { return sequence_; }

 private:
  const uint64_t sequence_;
};

// What snapshots cost now.
struct SnapshotUsage {
  uint64_t open = 0;  // without those that were given up
  // Memory for what only snapshots see, and for what ended snapshots saw and is still to be
  // forgotten.
  uint64_t undo_bytes = 0;
  // Records of ended snapshots that were examined in order to forget them, since opening.
  uint64_t looked_at = 0;
};

// Walks the keys of an unordered keystore in steps. Not thread-safe. Several cursors may be open at
// once.
class KeystoreCursor {
 public:
  virtual ~KeystoreCursor() = default;
  // Replaces `*locations` by those of the next part of the keys; by none at the end. At a snapshot,
  // the walk yields each key that existed then exactly once, with its location of then. Without a
  // snapshot, it yields a key that is present from before the first call until after the last call
  // exactly once. A key that is added, removed or changed meanwhile is yielded at most once, with a
  // location that it had during the call.
  virtual absl::Status Next(std::vector<Location>* locations) = 0;
};

// The map from keys to locations.
class Keystore {
 public:
  virtual ~Keystore() = default;
  Keystore(const Keystore&) = delete;
  Keystore& operator=(const Keystore&) = delete;

  // Fills in key->digest if the keystore uses one.
  virtual void Digest(PreparedKey* /*key*/) const {}
  // Starts loading the memory that Get and Set will touch. A hint.
  virtual void Prefetch(const PreparedKey& /*key*/) const {}

  // The newest location of the key; NotFound with an empty message if it has none.
  virtual absl::Status Get(const PreparedKey& key, Location* location) const = 0;

  // Sets the key's location to that of the record with number `sequence`, or removes the key if
  // `location` does not exist. Each call has a higher number than the one before. Returns the
  // location that the key had before.
  virtual Location Set(const PreparedKey& key, Location location, uint64_t sequence) = 0;

  // Compare-and-set of the whole location: moves the key to `to` only if it is at `from` now.
  // Returns whether it was.
  virtual bool Relocate(const PreparedKey& key, Location from, Location to) = 0;

  // Takes in records of the log, in any order; over all calls each record comes exactly once. Two
  // may be copies with the same number, of which either may be taken for the newer one. After
  // FinishLoad each key has the location of its newest record, or is absent if that record is a
  // delete. The keys of the entries are valid only during the call.
  virtual void Load(absl::Span<const LoadEntry> entries, LoadContext* context) = 0;
  // Called once, after Load has got all records.
  virtual void FinishLoad() = 0;

  // Takes a snapshot of the current state; `sequence` is the number of the newest record. It is
  // cheap: this copies nothing, and while no snapshot is open, Set pays one relaxed load for
  // them.
  virtual std::shared_ptr<const KeystoreSnapshot> TakeSnapshot(uint64_t sequence) = 0;

  // Get, as of the snapshot.
  virtual absl::Status GetAt(const KeystoreSnapshot& snapshot, const PreparedKey& key,
                             Location* location) const = 0;

  // What snapshots cost now.
  virtual SnapshotUsage GetSnapshotUsage() const = 0;
  // Calls `visit` with each location that the keystore keeps for nothing but snapshots, perhaps
  // several times. What is given up or forgotten meanwhile
  // may be missing. Holds no lock for long: that of a put, never for more than some hundred
  // locations.
  virtual void VisitKept(absl::FunctionRef<void(Location)> visit) const = 0;

  // Gives up the oldest open snapshot, so that what it keeps is forgotten. Called when that takes
  // too much space in the log. Returns whether one was open.
  virtual bool GiveUpOldestSnapshot() { return false; }

  // Forgets everything that ended snapshots have left, and ends the keystore's own threads. Called
  // when the database is closed, while snapshots may still be open; those can still be read
  // afterwards.
  virtual void FinishForgetting() {}

  // Replaces `*block` by the first `limit` keys of the range as of the snapshot; by fewer only if
  // the range ends before. The range does not refer to bytes of `*block`. For ordered keystores.
  virtual absl::Status Scan(const KeystoreSnapshot& /*snapshot*/, const KeyRange& /*range*/,
                            size_t /*limit*/, KeyBlock* /*block*/) const {
    return absl::UnimplementedError("");
  }

  // A walk over all keys, as of the snapshot or, if that is null, as they are now. For unordered
  // keystores.
  virtual std::unique_ptr<KeystoreCursor> NewCursor(
      std::shared_ptr<const KeystoreSnapshot> /*snapshot*/) const {
    return nullptr;
  }

  // The number of keys that have a location.
  virtual uint64_t KeyCount() const = 0;
  // Bytes of memory that the index holds now, without the allocator's overhead.
  virtual uint64_t MemoryBytes() const = 0;

 protected:
  Keystore() = default;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_PLUGIN_KEYSTORE_H_
