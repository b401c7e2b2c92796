// For each snapshot of the hash keystore, the places of the undo records that belong to it.

#ifndef RUMCASK_KEYSTORES_HASH_UNDO_LISTS_H_
#define RUMCASK_KEYSTORES_HASH_UNDO_LISTS_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "core/versions/counted_allocator.h"
#include "keystores/hash/digest_table.h"

namespace rumcask {

// The place of an undo record: a shard, and a digest in it.
struct UndoPlace {
  UndoPlace() = default;
  UndoPlace(size_t shard_number, const StoredDigest& digest)
      : low(digest.low), high(digest.high), shard(static_cast<uint32_t>(shard_number)) {}
  StoredDigest digest() const { return {low, high}; }

  uint64_t low = 0;
  uint32_t high = 0;
  uint32_t shard = 0;
};

// One list for each snapshot that has undo records. A list consists of blocks, the first of which
// is small. So adding to a long list copies nothing, and a short list takes little memory. Not
// thread-safe.
class UndoLists {
 public:
  // `bytes` counts the memory of the lists.
  explicit UndoLists(std::atomic<uint64_t>* bytes) : bytes_(bytes), last_(Allocator(bytes)) {}
  ~UndoLists() {
    for (auto& [snapshot, block] : last_) {
      while (block != nullptr) DropLast(&block);
    }
  }
  UndoLists(const UndoLists&) = delete;
  UndoLists& operator=(const UndoLists&) = delete;

  void Add(uint64_t snapshot, const UndoPlace& place) {
    Block*& last = last_[snapshot];
    if (last == nullptr || last->places.size() == last->places.capacity()) {
      last =
          new Block(last, last == nullptr ? kLeast : std::min(2 * last->places.capacity(), kMost));
      bytes_->fetch_add(HeapBytes(*last), std::memory_order_relaxed);
    }
    last->places.push_back(place);
  }

  // Replaces `*places` by `count` places of the snapshot's list, which has at least as many, and
  // removes them from the list.
  void Take(uint64_t snapshot, size_t count, std::vector<UndoPlace>* places) {
    places->clear();
    const auto list = last_.find(snapshot);
    while (places->size() < count) {
      std::vector<UndoPlace>& from = list->second->places;
      const auto n = static_cast<std::ptrdiff_t>(std::min(count - places->size(), from.size()));
      places->insert(places->end(), from.end() - n, from.end());
      from.erase(from.end() - n, from.end());
      if (from.empty()) DropLast(&list->second);
    }
    if (list->second == nullptr) last_.erase(list);
  }

 private:
  static constexpr size_t kLeast = 2;
  static constexpr size_t kMost = 256;

  struct Block {
    Block(Block* block_before, size_t capacity) : before(block_before) { places.reserve(capacity); }
    Block* const before;
    std::vector<UndoPlace> places;
  };
  using Allocator = CountedAllocator<std::pair<const uint64_t, Block*>>;

  static uint64_t HeapBytes(const Block& block) {
    return HeapBlockBytes(sizeof(Block)) +
           HeapBlockBytes(block.places.capacity() * sizeof(UndoPlace));
  }
  void DropLast(Block** last) {
    Block* const dropped = *last;
    *last = dropped->before;
    bytes_->fetch_sub(HeapBytes(*dropped), std::memory_order_relaxed);
    delete dropped;
  }

  std::atomic<uint64_t>* const bytes_;
  std::map<uint64_t, Block*, std::less<>, Allocator> last_;
};

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_HASH_UNDO_LISTS_H_
