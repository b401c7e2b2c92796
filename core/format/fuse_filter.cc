#include "core/format/fuse_filter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace rumcask {
namespace {

constexpr size_t kSeedOffset = 0;
constexpr size_t kWindowOffset = 8;
constexpr size_t kWindowsOffset = 12;
constexpr size_t kHeaderBytes = 16;
constexpr size_t kFingerprintBytes = 2;

constexpr uint32_t kSmallestWindow = 4;
constexpr uint32_t kLargestWindow = uint32_t{1} << 18;
// One seed in a few does not do; so many in a row do not occur.
constexpr uint64_t kMostSeeds = 100;

// The finalizer of MurmurHash3, by Austin Appleby.
uint64_t Mix(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccd;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53;
  return x ^ x >> 33;
}

uint16_t Fingerprint(uint64_t hash) { return static_cast<uint16_t>(hash ^ hash >> 32); }

using Places = std::array<uint64_t, 3>;

// The places of a hash: one in each of three windows in a row, the first of which is one of the
// `range` / `window` that there are but for the last two.
Places PlacesOf(uint64_t hash, uint64_t window, uint64_t range) {
  const auto product = static_cast<unsigned __int128>(hash) * range;
  const uint64_t first = static_cast<uint64_t>(product >> 64);
  return {first, (first + window) ^ ((hash >> 18) & (window - 1)),
          (first + 2 * window) ^ (hash & (window - 1))};
}

// Their sizes for so many keys, as the paper found them by trying.
uint32_t WindowFor(size_t keys) {
  const double power = std::floor(std::log(static_cast<double>(keys)) / std::log(3.33) + 2.25);
  return std::clamp(uint32_t{1} << static_cast<uint32_t>(power), kSmallestWindow, kLargestWindow);
}

uint32_t WindowsFor(size_t keys, uint32_t window) {
  const double n = static_cast<double>(keys);
  const double factor = keys < 2 ? 1 : std::max(1.125, 0.875 + 0.25 * std::log(1e6) / std::log(n));
  const double windows = std::ceil(std::round(n * factor) / window);
  return windows > 3 ? static_cast<uint32_t>(windows) - 2 : 1;
}

class Building {
 public:
  Building(const std::vector<uint64_t>& hashes, uint32_t window, uint32_t windows)
      : hashes_(hashes),
        window_(window),
        range_(uint64_t{window} * windows),
        places_(range_ + 2 * uint64_t{window}) {}

  // Whether the hashes can be told apart with that seed. If so, Assign may be called.
  bool Peel(uint64_t seed) {
    // Of each place, how many hashes have it and the exclusive or of them, which is the hash once
    // it is one.
    std::vector<uint8_t> counts(places_);
    std::vector<uint64_t> sums(places_);
    for (const uint64_t raw : hashes_) {
      const uint64_t hash = Mix(raw + seed);
      for (const uint64_t place : PlacesOf(hash, window_, range_)) {
        if (++counts[place] == 0) return false;
        sums[place] ^= hash;
      }
    }
    std::vector<uint32_t> single;
    for (uint64_t place = 0; place < places_; ++place) {
      if (counts[place] == 1) single.push_back(static_cast<uint32_t>(place));
    }
    order_.clear();
    order_.reserve(hashes_.size());
    while (!single.empty()) {
      const uint32_t alone = single.back();
      single.pop_back();
      if (counts[alone] != 1) continue;
      const uint64_t hash = sums[alone];
      order_.push_back({hash, alone});
      for (const uint64_t place : PlacesOf(hash, window_, range_)) {
        sums[place] ^= hash;
        if (--counts[place] == 1) single.push_back(static_cast<uint32_t>(place));
      }
    }
    return order_.size() == hashes_.size();
  }

  // The fingerprints, such that those at a hash's three places together give its own. Each hash has
  // a place that no hash peeled later has.
  std::vector<uint16_t> Assign() const {
    std::vector<uint16_t> fingerprints(places_);
    for (auto it = order_.rbegin(); it != order_.rend(); ++it) {
      uint16_t rest = Fingerprint(it->first);
      for (const uint64_t place : PlacesOf(it->first, window_, range_)) {
        if (place != it->second) rest = static_cast<uint16_t>(rest ^ fingerprints[place]);
      }
      fingerprints[it->second] = rest;
    }
    return fingerprints;
  }

 private:
  const std::vector<uint64_t>& hashes_;
  const uint64_t window_;
  const uint64_t range_;
  const uint64_t places_;
  // Hashes with the place that was theirs alone, as they were peeled off.
  std::vector<std::pair<uint64_t, uint32_t>> order_;
};

}  // namespace

std::string FuseFilterBuilder::Finish() {
  std::vector<uint64_t> hashes = std::move(hashes_);
  *this = FuseFilterBuilder();
  if (hashes.empty()) return {};
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  const uint32_t window = WindowFor(hashes.size());
  const uint32_t windows = WindowsFor(hashes.size(), window);
  Building building(hashes, window, windows);
  for (uint64_t seed = 0; seed < kMostSeeds; ++seed) {
    if (!building.Peel(Mix(seed))) continue;
    const std::vector<uint16_t> fingerprints = building.Assign();
    std::string bytes(kHeaderBytes + fingerprints.size() * kFingerprintBytes, '\0');
    StoreU64(bytes.data() + kSeedOffset, Mix(seed));
    StoreU32(bytes.data() + kWindowOffset, window);
    StoreU32(bytes.data() + kWindowsOffset, windows);
    for (size_t i = 0; i < fingerprints.size(); ++i) {
      StoreU16(bytes.data() + kHeaderBytes + i * kFingerprintBytes, fingerprints[i]);
    }
    return bytes;
  }
  return {};
}

std::optional<FuseFilter> FuseFilter::Parse(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  const uint32_t window = LoadU32(bytes.data() + kWindowOffset);
  const uint64_t windows = LoadU32(bytes.data() + kWindowsOffset);
  if (window < kSmallestWindow || window > kLargestWindow || (window & (window - 1)) != 0 ||
      windows == 0 || bytes.size() != kHeaderBytes + (windows + 2) * window * kFingerprintBytes) {
    return std::nullopt;
  }
  return FuseFilter(LoadU64(bytes.data() + kSeedOffset), window, windows * window,
                    bytes.data() + kHeaderBytes);
}

bool FuseFilter::MayContain(uint64_t key_hash) const {
  const uint64_t hash = Mix(key_hash + seed_);
  uint16_t rest = Fingerprint(hash);
  for (const uint64_t place : PlacesOf(hash, window_, range_)) {
    rest = static_cast<uint16_t>(rest ^ LoadU16(fingerprints_ + place * kFingerprintBytes));
  }
  return rest == 0;
}

}  // namespace rumcask
