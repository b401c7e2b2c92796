// What open snapshots still see of the keys of the flat keystore.

#ifndef RUMCASK_KEYSTORES_FLAT_FLAT_UNDO_H_
#define RUMCASK_KEYSTORES_FLAT_FLAT_UNDO_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"

#include "core/plugin/location.h"
#include "core/versions/counted_allocator.h"

namespace rumcask {

// A key that undo records and lists share.
class FlatUndoKey {
 public:
  // Its memory is counted by `bytes`, which must outlive it.
  FlatUndoKey(std::string_view key, std::atomic<uint64_t>* bytes)
      : key_(std::allocate_shared<const Bytes>(CountedAllocator<Bytes>(bytes), key, bytes)) {}

  std::string_view view() const { return key_->key; }

 private:
  struct Bytes {
    Bytes(std::string_view k, std::atomic<uint64_t>* counter) : key(k), bytes(counter) {
      bytes->fetch_add(Heap(), std::memory_order_relaxed);
    }
    ~Bytes() { bytes->fetch_sub(Heap(), std::memory_order_relaxed); }
    Bytes(const Bytes&) = delete;
    Bytes& operator=(const Bytes&) = delete;
    // A string of 15 bytes lies in its object.
    uint64_t Heap() const { return key.capacity() <= 15 ? 0 : HeapBlockBytes(key.capacity() + 1); }

    const std::string key;
    std::atomic<uint64_t>* const bytes;
  };

  std::shared_ptr<const Bytes> key_;
};

// The undo records of one shard. Each snapshot begins an epoch, named by its number; the first
// change of a key in an epoch is preceded by a record of where it was. What a snapshot sees of a
// key is its first record of that epoch or a later one; without one, it is what the table says. So
// nothing compares the numbers of records of the log, and moving one needs no undo record. Not
// thread-safe.
class FlatUndo {
 public:
  // Its memory is counted by `bytes`, itself excluded.
  explicit FlatUndo(std::atomic<uint64_t>* bytes)
      : records_(CountedAllocator<Records::value_type>(bytes)) {}

  // Whether the newest record of the key is of this epoch or a later one.
  bool HasSince(std::string_view key, uint64_t epoch) const {
    const auto it = records_.lower_bound(At{key, epoch});
    return it != records_.end() && it->first.key.view() == key;
  }

  // Adds the record of an epoch in which the key has none.
  void Add(const FlatUndoKey& key, uint64_t epoch, Location before) {
    records_.emplace(Key{key, epoch}, before);
  }

  // The first epoch of which a snapshot may see the record that the key has in `epoch`: the one
  // before is hidden by the key's record before.
  uint64_t SeenFrom(std::string_view key, uint64_t epoch) const {
    const auto it = records_.lower_bound(At{key, epoch});
    if (it == records_.begin() || std::prev(it)->first.key.view() != key) return 0;
    return std::prev(it)->first.epoch + 1;
  }

  // Takes away the record that the key has in `epoch`, or has an earlier epoch have it.
  void Remove(std::string_view key, uint64_t epoch) {
    records_.erase(records_.find(At{key, epoch}));
  }
  void Move(const FlatUndoKey& key, uint64_t epoch, uint64_t to) {
    const auto it = records_.find(At{key.view(), epoch});
    const Location before = it->second;
    records_.erase(it);
    Add(key, to, before);
  }

  // Whether the snapshot `epoch` sees something other of the key than the table says, which is put
  // into `*location`: none if it sees no such key.
  bool Find(std::string_view key, uint64_t epoch, Location* location) const {
    const auto it = records_.lower_bound(At{key, epoch});
    if (it == records_.end() || it->first.key.view() != key) return false;
    *location = it->second;
    return true;
  }

  // Calls visit(location) for each key of which the snapshot sees something else.
  template <typename Visitor>
  void ForEach(uint64_t epoch, Visitor visit) const {
    const Key* visited = nullptr;
    for (const auto& [key, before] : records_) {
      if (key.epoch < epoch || (visited != nullptr && visited->key.view() == key.key.view())) {
        continue;
      }
      visited = &key;
      visit(before);
    }
  }

  template <typename Visitor>
  void VisitLocations(Visitor visit) const {
    for (const auto& [key, before] : records_) visit(before);
  }

  bool empty() const { return records_.empty(); }

 private:
  struct Key {
    FlatUndoKey key;
    uint64_t epoch;
  };
  struct At {
    std::string_view key;
    uint64_t epoch;
  };
  struct Less {
    using is_transparent = void;
    static At Of(const Key& key) { return {key.key.view(), key.epoch}; }
    static At Of(const At& at) { return at; }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      const At x = Of(a), y = Of(b);
      const int order = x.key.compare(y.key);
      return order != 0 ? order < 0 : x.epoch < y.epoch;
    }
  };
  using Records =
      absl::btree_map<Key, Location, Less, CountedAllocator<std::pair<const Key, Location>>>;

  Records records_;
};

// A shard, and a key in it.
struct FlatUndoPlace {
  size_t shard;
  FlatUndoKey key;
};

// For each snapshot, where the undo records are that belong to it. Adding to a long list copies
// nothing of it. Not thread-safe.
class FlatUndoLists {
 public:
  // Their memory is counted by `bytes`.
  explicit FlatUndoLists(std::atomic<uint64_t>* bytes) : bytes_(bytes), lists_(Allocator(bytes)) {}

  void Add(uint64_t snapshot, const FlatUndoPlace& place) {
    lists_.try_emplace(snapshot, CountedAllocator<FlatUndoPlace>(bytes_))
        .first->second.push_back(place);
  }

  // Replaces `*places` by `count` of the snapshot's, which has as many, and takes them off its
  // list.
  void Take(uint64_t snapshot, size_t count, std::vector<FlatUndoPlace>* places) {
    places->clear();
    const auto found = lists_.find(snapshot);
    List& list = found->second;
    for (; count > 0; --count) {
      places->push_back(std::move(list.back()));
      list.pop_back();
    }
    if (list.empty()) lists_.erase(found);
  }

 private:
  using List = std::deque<FlatUndoPlace, CountedAllocator<FlatUndoPlace>>;
  using Allocator = CountedAllocator<std::pair<const uint64_t, List>>;

  std::atomic<uint64_t>* const bytes_;
  std::map<uint64_t, List, std::less<>, Allocator> lists_;
};

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_FLAT_FLAT_UNDO_H_
