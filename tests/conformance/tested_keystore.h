// A keystore together with a std::map of what it should hold.

#ifndef RUMCASK_TESTS_CONFORMANCE_TESTED_KEYSTORE_H_
#define RUMCASK_TESTS_CONFORMANCE_TESTED_KEYSTORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "core/plugin/keystore.h"

namespace rumcask {

// The location of record number `record`. A record that was moved is in another slot.
inline Location PlaceOf(uint64_t record, uint32_t slot = 0) {
  return Location::Make(slot, (record + 1) * 8, 64);
}
inline uint64_t RecordAt(Location location) { return location.offset() / 8 - 1; }

// Functions that compare return "" or what differs. Not thread-safe, except that const functions
// may run beside each other.
class TestedKeystore {
 public:
  struct Entry {
    Location location;
    uint64_t sequence = 0;
  };
  using Map = std::map<std::string, Entry, std::less<>>;

  // A snapshot and what it has to show.
  struct Held {
    std::shared_ptr<const KeystoreSnapshot> snapshot;
    Map map;
  };

  explicit TestedKeystore(const KeystoreFactory& factory,
                          uint64_t max_undo_bytes = KeystoreConfig().max_undo_bytes);

  Keystore& keystore() { return *keystore_; }
  const Map& map() const { return map_; }
  uint64_t last_sequence() const { return sequence_; }

  PreparedKey Prepared(std::string_view key) const;

  // ---- changing both ----

  std::string Put(std::string_view key);
  std::string Delete(std::string_view key);
  // Moves the record if it is where the map says.
  std::string Relocate(std::string_view key);
  // Makes one of these changes at random.
  std::string Change(const std::vector<std::string>& keys, std::mt19937_64* random);
  Held Take();

  // ---- comparing ----

  std::string CompareKey(std::string_view key) const;
  // Compares every key, the count, and a walk.
  std::string CompareNow();
  // Compares GetAt of each of `keys`. For a record that was moved, the old and the new location are
  // both right.
  std::string CompareGetAt(const Held& held, const std::vector<std::string>& keys) const;
  // Compares everything in a walk, and if there is an order, in both directions.
  std::string CompareWalk(const Held& held) const;

 private:
  std::string CompareCursor(const Map& map, std::shared_ptr<const KeystoreSnapshot> snapshot) const;
  std::string CompareScan(const Held& held, bool reverse) const;

  const bool ordered_;
  const std::unique_ptr<Keystore> keystore_;
  Map map_;
  uint64_t sequence_ = 0;
  uint32_t next_slot_ = 1;
};

// The locations of a whole walk of an unordered keystore, in its order.
absl::Status WalkAll(const Keystore& keystore, std::shared_ptr<const KeystoreSnapshot> snapshot,
                     std::vector<Location>* found);

// The keys of a whole walk of an ordered keystore, `limit` at a time. Each block begins after the
// last key of the one before.
absl::Status ScanAll(const Keystore& keystore, const KeystoreSnapshot& snapshot, bool reverse,
                     size_t limit,
                     std::vector<std::pair<std::string, TestedKeystore::Entry>>* found);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CONFORMANCE_TESTED_KEYSTORE_H_
