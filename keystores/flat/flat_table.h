// The keys of one shard, and where their records are.

#ifndef RUMCASK_KEYSTORES_FLAT_FLAT_TABLE_H_
#define RUMCASK_KEYSTORES_FLAT_FLAT_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

#include "core/plugin/keystore.h"
#include "core/plugin/location.h"
#include "keystores/flat/key_arena.h"

namespace rumcask {

// absl::flat_hash_map from keys, which lie in an arena, to locations. A slot has twelve bytes: four
// that lead to the key and eight of the location. Not thread-safe.
class FlatTable {
 public:
  // What Keystore::Digest has to compute: Abseil's hash, whose seed is an address in the program.
  // Where addresses are random nobody can prepare keys that all fall into one bucket, and keys that
  // do take time but are never taken for each other.
  static uint64_t Hash(std::string_view key) {
    return absl::Hash<absl::string_view>()(absl::string_view(key.data(), key.size()));
  }

  // `hash` is what Digest uses; another one is for tests of collisions.
  explicit FlatTable(uint64_t (*hash)(std::string_view) = Hash)
      : map_(0, HashOf{&keys_, hash}, IsSame{&keys_}) {}
  FlatTable(const FlatTable&) = delete;
  FlatTable& operator=(const FlatTable&) = delete;

  // Where a key is. Written through by whoever changes it; valid until the table is changed.
  class Slot {
   public:
    explicit Slot(Location location) { set_location(location); }
    Location location() const { return Location::FromBits(uint64_t{high_} << 32 | low_); }
    void set_location(Location location) {
      low_ = static_cast<uint32_t>(location.bits());
      high_ = static_cast<uint32_t>(location.bits() >> 32);
    }

   private:
    uint32_t low_ = 0;
    uint32_t high_ = 0;
  };

  // Null if there is no such key. The key must be prepared.
  Slot* Find(const PreparedKey& key) {
    const auto it = map_.find(key);
    return it == map_.end() ? nullptr : &it->second;
  }
  const Slot* Find(const PreparedKey& key) const {
    const auto it = map_.find(key);
    return it == map_.end() ? nullptr : &it->second;
  }

  // A key that is not there.
  void Insert(const PreparedKey& key, Location location) {
    // The digest is used for it; map_[] would compute the hash again.
    map_.lazy_emplace(key, [&](const Map::constructor& construct) {
      construct(KeyRef{keys_.Add(key.key)}, Slot(location));
    });
  }

  // A key that is there.
  void Erase(const PreparedKey& key) {
    const auto it = map_.find(key);
    keys_.Drop(it->first.at);
    map_.erase(it);
    GiveBack();
  }

  // All keys of whose locations `is_gone` is true.
  template <typename Predicate>
  void EraseIf(Predicate is_gone) {
    for (auto it = map_.begin(); it != map_.end();) {
      const auto next = std::next(it);
      if (is_gone(it->second.location())) {
        keys_.Drop(it->first.at);
        map_.erase(it);
      }
      it = next;
    }
    GiveBack();
  }

  size_t size() const { return map_.size(); }

  // Calls visit(key, location) for each.
  template <typename Visitor>
  void ForEach(Visitor visit) const {
    for (const auto& [ref, slot] : map_) visit(keys_.Get(ref.at), slot.location());
  }

  // A byte of control for each slot, and some more at the end.
  uint64_t memory_bytes() const {
    return keys_.memory_bytes() +
           (map_.capacity() == 0 ? 0 : map_.capacity() * (sizeof(Map::value_type) + 1) + kAtEnd);
  }

 private:
  static constexpr uint64_t kAtEnd = 24;

  struct KeyRef {
    // Changed when the key's bytes move, which neither hash nor comparison notice.
    mutable uint32_t at;
  };
  struct HashOf {
    using is_transparent = void;
    size_t operator()(const PreparedKey& key) const { return key.digest[0]; }
    size_t operator()(KeyRef key) const { return hash(keys->Get(key.at)); }
    const KeyArena* keys;
    uint64_t (*hash)(std::string_view);
  };
  struct IsSame {
    using is_transparent = void;
    bool operator()(KeyRef a, KeyRef b) const { return keys->Get(a.at) == keys->Get(b.at); }
    bool operator()(KeyRef a, const PreparedKey& b) const { return keys->Get(a.at) == b.key; }
    bool operator()(const PreparedKey& a, KeyRef b) const { return a.key == keys->Get(b.at); }
    const KeyArena* keys;
  };
  using Map = absl::flat_hash_map<KeyRef, Slot, HashOf, IsSame>;
  static_assert(sizeof(Map::value_type) == 12, "twelve bytes of RAM a slot");

  // Gives memory back if most of it has become free: bytes when half of them are dead, slots when
  // fewer than an eighth are in use, which leaves room to grow again without going to and fro.
  void GiveBack() {
    if (keys_.is_sparse()) CopyKeys();
    if (map_.size() < map_.capacity() / 8) map_.rehash(0);
  }

  // Leaves the dead bytes behind.
  void CopyKeys() {
    KeyArena fresh;
    fresh.Reserve(keys_.live_bytes());
    for (const auto& [ref, slot] : map_) ref.at = fresh.Add(keys_.Get(ref.at));
    keys_ = std::move(fresh);
  }

  KeyArena keys_;
  Map map_;
};

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_FLAT_FLAT_TABLE_H_
