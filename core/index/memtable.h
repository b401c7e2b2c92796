// Changes on their way to an index on disk.

#ifndef RUMCASK_CORE_INDEX_MEMTABLE_H_
#define RUMCASK_CORE_INDEX_MEMTABLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "core/index/index_entry.h"
#include "core/versions/ordered_map.h"

namespace rumcask {

// A Bloom filter with two bits per key. It spares a read of a key that is only in the index most of
// the memtables. Memory is touched as keys are added, a page at a time, so that making a filter,
// which happens under the write lock, is cheap.
class KeyFilter {
 public:
  // `bits` is rounded up to a power of two of at least a page, and bounded. With more keys than it
  // is meant for, more absent keys are taken for present.
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
      // A short key takes some 80 bytes of a memtable, which makes 10 bits for each.
      : keys(OrderedMap::Deletes::kKeep, past, empty), filter(bytes / 8) {}

  OrderedMap keys;
  KeyFilter filter;
  // All records with numbers up to this are in this memtable or an older one. Set when frozen.
  uint64_t position = 0;
  // The newest record in it.
  Location last;
  // How far the applier has come, so that it goes on from there after an error.
  std::string applied_through;
  bool begun = false;
  // Of the records that were written into it. Nobody knows yet what they replaced.
  uint64_t written_bytes = 0;
  // What was live when it was counted, while this took records. See IndexGate::NoteCounted.
  LiveBytes counted;
  // Bytes of records that were found to be replaced, by the segment's slot.
  std::map<uint32_t, uint64_t> dead;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_MEMTABLE_H_
