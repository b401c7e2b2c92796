#include "tests/oracle/numbered_writes.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace rumcask {

size_t NumberedWrites::Differing(const Operations& operations, const State& found) const {
  std::set<std::string> keys;
  for (const auto& [key, value] : operations) keys.insert(key);
  size_t differing = 0;
  for (const std::string& key : keys) {
    const auto there = found.find(key), here = state_.find(key);
    const bool same = there == found.end() || here == state_.end()
                          ? (there == found.end()) == (here == state_.end())
                          : there->second == here->second;
    if (!same) ++differing;
  }
  return differing;
}

std::string NumberedWrites::GoOnTo(const State& found, uint64_t least, uint64_t most) {
  // Counting the keys that differ avoids comparing whole states.
  Operations all;
  for (const auto& [key, value] : found) all.emplace_back(key, value);
  for (const auto& [key, value] : state_) all.emplace_back(key, value);
  size_t differing = Differing(all, found);
  while (count_ < least || differing != 0) {
    if (count_ >= most) {
      return absl::StrCat("not what any of writes ", least, " to ", most,
                          " leaves; after the last ", differing,
                          " keys differ, such as this one: ", Difference(found, state_));
    }
    const Operations operations = nth_(++count_);
    differing -= Differing(operations, found);
    Apply(operations, &state_);
    differing += Differing(operations, found);
  }
  return "";
}

}  // namespace rumcask
