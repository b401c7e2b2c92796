#include "tools/advise/entries.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tools/bench/key_format.h"

namespace rumcask::advise {

Entries::Entries(const Profile& profile)
    : profile_(profile),
      bytes_(/*seed=*/1,
             *std::max_element(profile.value_bytes.begin(), profile.value_bytes.end())) {}

std::string_view Entries::Key(uint64_t number) {
  // Scattered once more than the key itself, so that its length says nothing about its place.
  const uint64_t place = bench::Scatter(bench::Scatter(number + 1)) % profile_.key_bytes.size();
  const uint64_t length = std::max<uint64_t>(profile_.key_bytes[place], kShortestKey);
  bench::KeyFormat(length, /*hashed=*/!profile_.ascending).Write(number, &key_);
  return key_;
}

std::string_view Entries::Value() {
  return bytes_.Next(profile_.value_bytes[random_.Below(profile_.value_bytes.size())]);
}

}  // namespace rumcask::advise
