// Keys copied out of an ordered keystore, with the locations of their records.

#ifndef RUMCASK_CORE_PLUGIN_KEY_BLOCK_H_
#define RUMCASK_CORE_PLUGIN_KEY_BLOCK_H_

#include "rumcask/require_cxx17.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rumcask/location.h"

namespace rumcask {

// A block owns its bytes, so that no lock or transaction of the keystore lasts longer than one
// call.
class KeyBlock {
 public:
  // Appends an entry.
  void Add(std::string_view key, Location location, uint64_t sequence) {
    entries_.push_back(
        {bytes_.size(), static_cast<uint32_t>(key.size()), passed_, location, sequence});
    bytes_.append(key);
    passed_ = 0;
  }
  // Reports that the source had to step over `steps` entries that exist no more, before the entry
  // that is added next or before the end.
  void Pass(uint64_t steps) {
    constexpr uint64_t kMost = UINT32_MAX;
    passed_ = static_cast<uint32_t>(std::min(kMost, passed_ + steps));
  }
  // Empties the block but keeps its memory.
  void Clear() {
    entries_.clear();
    bytes_.clear();
    passed_ = 0;
  }

  // The number of entries.
  size_t size() const { return entries_.size(); }
  // Whether there is none.
  bool empty() const { return entries_.empty(); }
  // Valid until the block is changed.
  std::string_view key(size_t i) const {
    return std::string_view(bytes_).substr(entries_[i].begin, entries_[i].key_bytes);
  }
  // Where the record of key(i) is.
  Location location(size_t i) const { return entries_[i].location; }
  // The record of a key is at another place by now.
  void set_location(size_t i, Location location) { entries_[i].location = location; }
  // The number of that record.
  uint64_t sequence(size_t i) const { return entries_[i].sequence; }

  // These are what Pass has reported.
  uint64_t passed_before(size_t i) const { return entries_[i].passed; }
  uint64_t passed_at_end() const { return passed_; }

 private:
  struct Entry {
    size_t begin;
    uint32_t key_bytes;
    uint32_t passed;
    Location location;
    uint64_t sequence;
  };

  std::string bytes_;
  std::vector<Entry> entries_;
  uint32_t passed_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_PLUGIN_KEY_BLOCK_H_
