// Changes on their way to an index on disk.

#ifndef RUMCASK_CORE_INDEX_MEMTABLE_H_
#define RUMCASK_CORE_INDEX_MEMTABLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "core/versions/ordered_map.h"

namespace rumcask {

// Tells most keys that are not there from those that may be, so that a buffer does not tax the
// reads of keys that are long in the index: a Bloom filter with two bits per key. It takes memory
// as keys come, a page at a time, so that making one, under the write lock, is cheap.
class KeyFilter {
 public:
  // `bits` is rounded up to a power of two, to a page's at least, and bounded: with more keys than
  // that is meant for, fewer of those that are not there are told.
  explicit KeyFilter(uint64_t bits);
  ~KeyFilter();
  KeyFilter(const KeyFilter&) = delete;
  KeyFilter& operator=(const KeyFilter&) = delete;

  // `digest` is a hash of the key.
  void Add(uint64_t digest) {
    Set(digest);
    Set(digest >> 32 | digest << 32);
  }
  bool MayHave(uint64_t digest) const {
    return IsSet(digest) && IsSet(digest >> 32 | digest << 32);
  }

 private:
  std::atomic<uint64_t>& Word(uint64_t hash) const { return words_[hash / 64 % count_]; }
  void Set(uint64_t hash) {
    std::atomic<uint64_t>& word = Word(hash);
    const uint64_t bit = uint64_t{1} << (hash % 64);
    const uint64_t before = word.load(std::memory_order_relaxed);
    // One writer at a time, so no read-modify-write is needed.
    if ((before & bit) == 0) word.store(before | bit, std::memory_order_release);
  }
  bool IsSet(uint64_t hash) const {
    return Word(hash).load(std::memory_order_acquire) >> (hash % 64) & 1;
  }

  std::atomic<uint64_t>* words_;
  size_t count_;
};

// Filled under the write lock until it is frozen, and then applied in parts.
struct Memtable {
  Memtable(uint64_t bytes, PastVersions* past, EmptyRanges* empty)
      // A key takes some 80 bytes: 10 bits each, were all of them short.
      : keys(OrderedMap::Deletes::kKeep, past, empty), filter(bytes / 8) {}

  OrderedMap keys;
  KeyFilter filter;
  // All records with numbers up to this are in it or in an older one. Set when frozen.
  uint64_t position = 0;
  // The newest record in it.
  Location last;
  // What the applier has done of it: after an error it goes on from there.
  std::string applied_through;
  bool begun = false;
  // Bytes that turned out to be dead, by the segment's slot.
  std::map<uint32_t, uint64_t> dead;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_MEMTABLE_H_
