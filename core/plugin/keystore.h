// The interface of a keystore: the map from every key to the location of its newest record.
//
// The log is the truth; a keystore is a view of it that can be thrown away and rebuilt. core owns
// this interface and calls it; a plugin implements it and depends on nothing of core but this
// header and location.h. core never names a plugin.
//
// How core calls a keystore:
//
//  - Prepare runs first for every key, on any thread, under no lock: expensive work on the key
//    alone (hashing) belongs there, because Apply runs under the database's one write lock.
//  - Apply, Relocate and TakeSnapshot are called by one thread at a time.
//  - Get, GetAt, Prefetch, Scan and cursors run on any thread at any time, beside each other and
//    beside Apply. What Apply has returned from, every later Get sees.
//  - A snapshot is let go of on any thread at any time, and never outlives its keystore.
//  - FinishForgetting is called on any thread at any time but not beside itself.
//  - Load and FinishLoad run during opening, before anything else; Load on several threads.
//
// A keystore reports running out of memory like the rest of the program: it does not.

#ifndef RUMCASK_CORE_PLUGIN_KEYSTORE_H_
#define RUMCASK_CORE_PLUGIN_KEYSTORE_H_

#include "rumcask/require_cxx17.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "rumcask/key_block.h"
#include "rumcask/key_range.h"
#include "rumcask/keystore_factory.h"
#include "rumcask/location.h"

namespace rumcask {

// A key, and what the keystore's Prepare computed from it. The key's bytes belong to the caller.
struct PreparedKey {
  explicit PreparedKey(std::string_view k) : key(k) {}
  PreparedKey() = default;

  std::string_view key;
  uint64_t digest[2] = {0, 0};
};

// One record of the log, offered to Load.
struct LoadEntry {
  std::string_view key;
  Location location;
  uint64_t sequence = 0;
  bool is_delete = false;
};

// core's side of a Load.
class LoadContext {
 public:
  virtual ~LoadContext() = default;
  // Whether the record at `a` has a higher sequence number than the one at `b`. Thread-safe.
  virtual bool IsNewer(Location a, Location b) const = 0;
  // The put at `location` lost against a newer record: its bytes are dead. Called once for each
  // such record, deletes excepted. Thread-safe.
  virtual void Superseded(Location location) = 0;
};

// A moment that reads can go back to: all records with numbers <= sequence() and no others. While
// it exists the keystore keeps the locations that later records replace - up to a bound on their
// memory, beyond which it gives up the oldest snapshot; reads at that one are ResourceExhausted.
// However much it keeps, no call takes long for it: what ended snapshots saw is forgotten little by
// little.
class KeystoreSnapshot {
 public:
  explicit KeystoreSnapshot(uint64_t sequence) : sequence_(sequence) {}
  virtual ~KeystoreSnapshot() = default;
  KeystoreSnapshot(const KeystoreSnapshot&) = delete;
  KeystoreSnapshot& operator=(const KeystoreSnapshot&) = delete;

  uint64_t sequence() const { return sequence_; }

 private:
  const uint64_t sequence_;
};

// What snapshots cost at the moment.
struct SnapshotUsage {
  uint64_t open = 0;  // those given up excluded
  // Memory for what they see and nobody else does, and for what ended ones saw and is still to be
  // forgotten.
  uint64_t undo_bytes = 0;
  // So many records of what ended snapshots saw were looked at to forget them, since opening.
  uint64_t looked_at = 0;
};

// Walks the keys of an unordered keystore in steps. Not thread-safe; several may be open at once.
class KeystoreCursor {
 public:
  virtual ~KeystoreCursor() = default;
  // Replaces `*locations` by those of the next part of the keys; empty at the end. At a snapshot:
  // each key that existed then exactly once, with its location of then. Without one: a key that is
  // present from before the first call until after the last exactly once; one that comes, goes or
  // changes meanwhile at most once, with a location it had during the call.
  virtual absl::Status Next(std::vector<Location>* locations) = 0;
};

class Keystore {
 public:
  virtual ~Keystore() = default;
  Keystore(const Keystore&) = delete;
  Keystore& operator=(const Keystore&) = delete;

  // Fills key->digest if the keystore wants one.
  virtual void Prepare(PreparedKey* /*key*/) const {}
  // Asks for the memory that Get and Apply will touch. A hint.
  virtual void Prefetch(const PreparedKey& /*key*/) const {}

  // The newest location of the key; NotFound with an empty message if it has none.
  virtual absl::Status Get(const PreparedKey& key, Location* location) const = 0;

  // Makes `location`, where the record numbered `sequence` is, the key's; no location removes the
  // key. Each call has a higher number than the one before. Returns what was there before.
  virtual Location Apply(const PreparedKey& key, Location location, uint64_t sequence) = 0;

  // Compare-and-set on the whole location: moves the key to `to` only if it is at `from` now.
  // Returns whether it was.
  virtual bool Relocate(const PreparedKey& key, Location from, Location to) = 0;

  // Takes in records of the log in any order, each exactly once over all calls. After FinishLoad
  // each key is where its newest record says, or absent if that is a delete. The entries' keys
  // live only during the call.
  virtual void Load(absl::Span<const LoadEntry> entries, LoadContext* context) = 0;
  virtual void FinishLoad() = 0;

  // A snapshot of now; `sequence` is the number of the newest record. Cheap: with none open, Apply
  // pays one relaxed load for them, and this copies nothing.
  virtual std::shared_ptr<const KeystoreSnapshot> TakeSnapshot(uint64_t sequence) = 0;

  // Get as it was then.
  virtual absl::Status GetAt(const KeystoreSnapshot& snapshot, const PreparedKey& key,
                             Location* location) const = 0;

  virtual SnapshotUsage GetSnapshotUsage() const = 0;

  // Forgets all that ended snapshots have left, and ends threads of the keystore's own. Called when
  // the database is closed, while snapshots may still be open; they go on to be read.
  virtual void FinishForgetting() {}

  // Replaces `*block` by the first `limit` keys of the range as it was then, fewer only at its end.
  // The range does not refer to the block. For ordered keystores.
  virtual absl::Status Scan(const KeystoreSnapshot& /*snapshot*/, const KeyRange& /*range*/,
                            size_t /*limit*/, KeyBlock* /*block*/) const {
    return absl::UnimplementedError("");
  }

  // A walk over all keys, at a snapshot or, if that is null, as they are. For unordered keystores.
  virtual std::unique_ptr<KeystoreCursor> NewCursor(
      std::shared_ptr<const KeystoreSnapshot> /*snapshot*/) const {
    return nullptr;
  }

  virtual uint64_t KeyCount() const = 0;
  // Bytes of memory the index holds now, allocator overhead excluded.
  virtual uint64_t MemoryBytes() const = 0;

 protected:
  Keystore() = default;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_PLUGIN_KEYSTORE_H_
