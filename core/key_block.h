// Keys copied out of an ordered keystore, and where their records are.

#ifndef RUMCASK_CORE_KEY_BLOCK_H_
#define RUMCASK_CORE_KEY_BLOCK_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/location.h"

namespace rumcask {

// Owns its bytes, so that no lock or transaction of the keystore lasts longer than one call.
class KeyBlock {
 public:
  void Add(std::string_view key, Location location, uint64_t sequence) {
    entries_.push_back({bytes_.size(), key.size(), location, sequence});
    bytes_.append(key);
  }
  // Keeps its memory.
  void Clear() {
    entries_.clear();
    bytes_.clear();
  }

  size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  // Valid until the block is changed.
  std::string_view key(size_t i) const {
    return std::string_view(bytes_).substr(entries_[i].begin, entries_[i].key_bytes);
  }
  Location location(size_t i) const { return entries_[i].location; }
  uint64_t sequence(size_t i) const { return entries_[i].sequence; }

 private:
  struct Entry {
    size_t begin;
    size_t key_bytes;
    Location location;
    uint64_t sequence;
  };

  std::string bytes_;
  std::vector<Entry> entries_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_KEY_BLOCK_H_
