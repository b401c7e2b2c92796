// What Scan finds.

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

#include "tests/conformance/disk_index_conformance.h"
#include "tests/conformance/tested_index.h"
#include "tests/conformance/trying_keys.h"

namespace rumcask {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

Rows Expected(const BytesMap& entries, const KeyRange& range, size_t limit) {
  Rows rows;
  for (const auto& [key, value] : entries) {
    const std::string_view k = key;
    if (k < range.lower || (range.after_lower && k == range.lower)) continue;
    if (!range.upper.empty() && k >= range.upper) continue;
    rows.emplace_back(key, value);
  }
  if (range.reverse) std::reverse(rows.begin(), rows.end());
  rows.resize(std::min(rows.size(), limit));
  return rows;
}

TEST_P(DiskIndexConformance, ScanFindsEveryRange) {
  TestedIndex tested(factory(), path());
  std::mt19937_64 random(4);
  // Every second one is a key; the others are used only as bounds. Some bounds are longer than a
  // key may be.
  std::vector<std::string> bounds = TryingKeys(90, factory().traits.max_key_bytes);
  BytesMap changes;
  for (size_t i = 0; i < bounds.size(); i += 2) changes[bounds[i]] = TryingValue(&random);
  ASSERT_EQ(tested.Apply(changes, {{"note", "is no entry"}, {"zz", "nor this"}}), "");
  bounds.resize(40);
  bounds.emplace_back();
  for (const char c : {'\0', 'm', '\xff'}) {
    bounds.emplace_back(factory().traits.max_key_bytes + 10, c);
  }

  for (const std::string& lower : bounds) {
    for (const std::string& upper : bounds) {
      for (int flags = 0; flags < 4; ++flags) {
        KeyRange range;
        range.lower = lower;
        range.upper = upper;
        range.after_lower = (flags & 1) != 0;
        range.reverse = (flags & 2) != 0;
        for (const size_t limit : {size_t{0}, size_t{1}, size_t{5}, SIZE_MAX}) {
          Rows rows;
          ASSERT_TRUE(ScanRange(tested.index(), range, limit, &rows).ok());
          ASSERT_EQ(rows, Expected(tested.entries(), range, limit))
              << "lower " << absl::CHexEscape(lower) << ", upper " << absl::CHexEscape(upper)
              << ", flags " << flags << ", limit " << limit;
        }
      }
    }
  }
}

TEST_P(DiskIndexConformance, ScanGoesOnWhereItStopped) {
  TestedIndex tested(factory(), path());
  BytesMap changes;
  for (const std::string& key : TryingKeys(3000, factory().traits.max_key_bytes)) {
    changes[key] = "value";
  }
  ASSERT_EQ(tested.Apply(changes), "");
  for (const bool reverse : {false, true}) {
    Rows all;
    Rows part;
    std::string last;
    do {
      KeyRange range;
      range.reverse = reverse;
      (reverse ? range.upper : range.lower) = last;
      range.after_lower = !reverse && !all.empty();
      ASSERT_TRUE(ScanRange(tested.index(), range, 64, &part).ok());
      all.insert(all.end(), part.begin(), part.end());
      if (!part.empty()) last = part.back().first;
    } while (part.size() == 64);
    if (reverse) std::reverse(all.begin(), all.end());
    EXPECT_EQ(all, Rows(changes.begin(), changes.end()));
  }
}

TEST_P(DiskIndexConformance, ScanOfNothingIsEmpty) {
  TestedIndex tested(factory(), path());
  ASSERT_EQ(tested.Apply({}, {{"note", "is no entry"}}), "");
  for (const bool reverse : {false, true}) {
    KeyRange range;
    range.reverse = reverse;
    Rows rows;
    EXPECT_TRUE(ScanRange(tested.index(), range, 10, &rows).ok());
    EXPECT_EQ(rows.size(), 0);
  }
}

}  // namespace
}  // namespace rumcask
