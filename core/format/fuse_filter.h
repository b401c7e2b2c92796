// A filter of the keys in a segment: tells that a key is certainly not there, or may be.
//
// Compaction asks it whether an older segment may hold a key: a tombstone may be dropped only if
// none does. It is a three-wise binary fuse filter with 16-bit fingerprints (Graf and Lemire,
// "Binary Fuse Filters: Fast and Smaller Than Xor Filters", 2022). It takes some 18 bits a key and
// is wrong for one of 65,536 keys that are not there; with fewer bits no tombstone could be dropped
// beside some thousand segments. FORMAT.md has its bytes.

#ifndef RUMCASK_CORE_FORMAT_FUSE_FILTER_H_
#define RUMCASK_CORE_FORMAT_FUSE_FILTER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/format/format.h"

namespace rumcask {

// More keys than any segment of 64 MiB has. Building takes 30 bytes a key, so a bound is needed.
inline constexpr size_t kMostFilterKeys = size_t{1} << 21;

// What filters know of a key: the same for all segments, so that it is computed once.
inline uint64_t FuseFilterHash(std::string_view key) { return XXH3_64bits(key.data(), key.size()); }

// Not thread-safe.
class FuseFilterBuilder {
 public:
  // A key may be added several times.
  void Add(std::string_view key) {
    if (added_++ < kMostFilterKeys) {
      hashes_.push_back(FuseFilterHash(key));
    } else {
      std::vector<uint64_t>().swap(hashes_);
    }
  }

  // The filter's bytes, and leaves the builder empty. No bytes if there are no keys, or more than
  // kMostFilterKeys. The same keys give the same bytes, in whatever order they were added.
  std::string Finish();

 private:
  size_t added_ = 0;
  std::vector<uint64_t> hashes_;
};

// Looks into a filter. Hostile bytes give wrong answers and do no harm. Thread-safe.
class FuseFilter {
 public:
  // `bytes` must outlive the filter. Nullopt if they are not one.
  static std::optional<FuseFilter> Parse(std::string_view bytes);

  bool MayContain(uint64_t key_hash) const;

 private:
  FuseFilter(uint64_t seed, uint32_t window, uint64_t range, const char* fingerprints)
      : seed_(seed), window_(window), range_(range), fingerprints_(fingerprints) {}

  uint64_t seed_;
  uint32_t window_;
  uint64_t range_;
  const char* fingerprints_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_FORMAT_FUSE_FILTER_H_
