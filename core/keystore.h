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
//  - Apply and Relocate are called by one thread at a time.
//  - Get, Prefetch and cursors run on any thread at any time, beside each other and beside Apply.
//    What Apply has returned from, every later Get sees.
//  - Load and FinishLoad run during opening, before anything else; Load on several threads.
//
// A keystore reports running out of memory like the rest of the program: it does not.

#ifndef RUMCASK_CORE_KEYSTORE_H_
#define RUMCASK_CORE_KEYSTORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/location.h"

namespace rumcask {

// What a keystore can do. Known before one is made, so that a request it can't meet is refused
// before any file is touched.
struct KeystoreTraits {
  // Kept in MANIFEST; a plugin whose stored form changes must change its name.
  std::string name;
  // Cursors yield keys in bytewise order and can seek.
  bool ordered = false;
  // Keeps its own files under index/<name>, to be brought up to date at opening instead of rebuilt.
  bool persistent = false;
  // Longer keys are refused with InvalidArgument before any I/O.
  size_t max_key_bytes = 65535;
};

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

// Walks the keys of an unordered keystore in steps. Not thread-safe; several may be open at once.
class KeystoreCursor {
 public:
  virtual ~KeystoreCursor() = default;
  // Replaces `*locations` by those of the next part of the keys; empty at the end. A key that is
  // present from before the first call until after the last is returned exactly once; one that
  // comes, goes or changes meanwhile at most once, with a location it had during the call.
  virtual void Next(std::vector<Location>* locations) = 0;
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

  // Makes `location` the key's; no location removes the key. Returns what was there before.
  virtual Location Apply(const PreparedKey& key, Location location) = 0;

  // Compare-and-set on the whole location: moves the key to `to` only if it is at `from` now.
  // Returns whether it was.
  virtual bool Relocate(const PreparedKey& key, Location from, Location to) = 0;

  // Takes in records of the log in any order, each exactly once over all calls. After FinishLoad
  // each key is where its newest record says, or absent if that is a delete. The entries' keys
  // live only during the call.
  virtual void Load(absl::Span<const LoadEntry> entries, LoadContext* context) = 0;
  virtual void FinishLoad() = 0;

  virtual uint64_t KeyCount() const = 0;
  // Bytes of memory the index holds now, allocator overhead excluded.
  virtual uint64_t MemoryBytes() const = 0;

  virtual std::unique_ptr<KeystoreCursor> NewCursor() const = 0;

 protected:
  Keystore() = default;
};

// Makes keystores of one kind; a value of Options::keystore. Copyable.
struct KeystoreFactory {
  KeystoreTraits traits;
  std::function<absl::StatusOr<std::unique_ptr<Keystore>>()> create;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_KEYSTORE_H_
