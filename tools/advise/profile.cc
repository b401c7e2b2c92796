#include "tools/advise/profile.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"

#include "core/format/limits.h"

namespace rumcask::advise {
namespace {

double Mean(const std::vector<uint32_t>& sample) {
  const uint64_t sum = std::accumulate(sample.begin(), sample.end(), uint64_t{0});
  return static_cast<double>(sum) / static_cast<double>(sample.size());
}

// How many keys have at most so many bytes. More than there are numbers if it is 8 or more.
double KeysUpTo(uint64_t bytes) {
  double keys = 0;
  for (uint64_t i = 1; i <= std::min(bytes, uint64_t{8}); ++i)
    keys += std::ldexp(1, static_cast<int>(8 * i));
  return keys;
}

}  // namespace

uint64_t Profile::LongestKey() const {
  const uint64_t of_sample = *std::max_element(key_bytes.begin(), key_bytes.end());
  return std::max(of_sample, longest_key_bytes);
}

double Profile::KeyBytes() const { return Mean(key_bytes); }

double Profile::EntryBytes() const { return Mean(key_bytes) + Mean(value_bytes); }

absl::Status Check(const Profile& profile) {
  if (profile.keys == 0) return absl::InvalidArgumentError("the number of keys must not be 0");
  // So that what is predicted, and what could change it, stays far below 2^63.
  constexpr uint64_t kMostKeys = 1000000000000000;
  constexpr double kMostBytes = 1e17;
  if (profile.keys > kMostKeys) {
    return absl::InvalidArgumentError("the number of keys must be at most 10^15");
  }
  if (static_cast<double>(profile.keys) * profile.EntryBytes() > kMostBytes) {
    return absl::InvalidArgumentError("keys and values of more than 10^17 bytes in all");
  }
  if (profile.LongestKey() > kMaxKeyBytes) {
    return absl::InvalidArgumentError(absl::StrFormat("keys of %d bytes: a key has at most %d",
                                                      profile.LongestKey(), kMaxKeyBytes));
  }
  if (*std::min_element(profile.key_bytes.begin(), profile.key_bytes.end()) == 0) {
    return absl::InvalidArgumentError("keys of 0 bytes: a key has at least 1");
  }
  const double possible = KeysUpTo(profile.LongestKey());
  if (static_cast<double>(profile.keys) > possible) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%d keys: with a length of at most %d there are only %.0f", profile.keys,
                        profile.LongestKey(), possible));
  }
  return absl::OkStatus();
}

absl::Status MakeShares(Profile* profile) {
  const double sum = profile->gets + profile->overwrites + profile->inserts + profile->scans;
  if (!(sum > 0)) return absl::InvalidArgumentError("the shares of the operations add up to 0");
  if (!std::isfinite(sum)) {
    return absl::InvalidArgumentError("the shares of the operations are too large to be added");
  }
  for (double* share : {&profile->gets, &profile->overwrites, &profile->inserts, &profile->scans}) {
    *share /= sum;
  }
  return absl::OkStatus();
}

}  // namespace rumcask::advise
