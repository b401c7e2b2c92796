// Makes every sector of every file of small databases permanently unreadable for all calls, or
// gives it other bytes: single sectors, two at a time, three in a row, and whole pages of them.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/format/manifest.h"
#include "tests/corruption/sample_database.h"
#include "tests/corruption/unreadable_judge.h"

namespace rumcask {
namespace {

constexpr uint64_t kSectorBytes = 512;
constexpr uint64_t kPageBytes = 4096;
constexpr int kShownFailures = 12;

struct Sample {
  const char* name;
  std::function<SampleDatabase()> make;
};

void PrintTo(const Sample& sample, std::ostream* out) { *out << sample.name; }

class UnreadableTest : public testing::TestWithParam<Sample> {};

INSTANTIATE_TEST_SUITE_P(Samples, UnreadableTest,
                         testing::Values(Sample{"Sealed", SealedSample},
                                         Sample{"Closed", ClosedSample},
                                         Sample{"Killed", KilledSample}),
                         [](const auto& param) { return std::string(param.param.name); });

using Ranges = std::vector<SpoiledRange>;

// The ranges of a file that can be spoiled: each has `bytes` bytes and begins `step` after the one
// before.
Ranges PlacesOf(const SampleDatabase& sample, uint64_t bytes, uint64_t step) {
  Ranges places;
  for (const auto& [name, contents] : sample.files) {
    const uint64_t size = contents.size();
    // If both copies of MANIFEST were gone, nothing could be opened.
    const uint64_t copy = size / 2;
    for (uint64_t at = 0; at < size; at += step) {
      const uint64_t end = std::min(at + bytes, size);
      const bool both = name == kManifestName && at < copy && end > copy;
      if (!both) places.push_back({name, at, end});
    }
  }
  return places;
}

// Returns whether most of the cases could be opened for writing.
bool JudgeAll(const Sample& param, const SampleDatabase& sample, const std::vector<Ranges>& all,
              bool other_bytes) {
  int cases = 0, refused = 0, lossy = 0, violated = 0;
  for (const Ranges& ranges : all) {
    // Combines each keystore with each read mode and each append mode.
    for (int modes = 0; modes < 8; ++modes) {
      UnreadableCase unreadable;
      unreadable.ranges = ranges;
      unreadable.other_bytes = other_bytes;
      unreadable.hash = (modes & 1) != 0;
      unreadable.read = (modes & 2) != 0 ? ReadMode::kMapped : ReadMode::kPread;
      unreadable.append = (modes & 4) != 0 ? AppendMode::kMapped : AppendMode::kWrite;
      UnreadableJudge judge(&sample, &unreadable);
      if (other_bytes && judge.MayBeTorn()) continue;
      const std::vector<std::string> violations = judge.Judge();
      ++cases;
      if (judge.refused()) ++refused;
      if (!judge.lost().empty()) ++lossy;
      if (!violations.empty() && ++violated <= kShownFailures) {
        ADD_FAILURE() << unreadable.ToString() << ": " << violations.front() << " (and "
                      << violations.size() - 1 << " more)";
      }
    }
  }
  std::printf("%s: %d cases, %d refused for writing, %d with keys that can't be read, %d wrong\n",
              param.name, cases, refused, lossy, violated);
  EXPECT_EQ(violated, 0);
  EXPECT_GT(cases, 0);
  return refused < cases / 2;
}

// Spoils one place at a time.
void JudgeEach(const Sample& param, uint64_t bytes, bool other_bytes) {
  const SampleDatabase sample = param.make();
  std::vector<Ranges> all;
  for (const SpoiledRange& place : PlacesOf(sample, bytes, kSectorBytes)) all.push_back({place});
  const bool mostly_open = JudgeAll(param, sample, all, other_bytes);
  EXPECT_TRUE(mostly_open || bytes > kSectorBytes);
}

// Spoils two sectors at once, in one file or in two.
void JudgePairs(const Sample& param, bool other_bytes) {
  const SampleDatabase sample = param.make();
  const Ranges places = PlacesOf(sample, kSectorBytes, kSectorBytes);
  std::vector<Ranges> all;
  const auto is_manifest = [](const SpoiledRange& place) { return place.file == kManifestName; };
  const auto says_nothing = [&](const SpoiledRange& place) {
    return is_manifest(place) && place.begin % kPageBytes != 0;
  };
  for (size_t i = 0; i < places.size(); ++i) {
    for (size_t j = i + 1; j < places.size(); ++j) {
      // Most sectors of MANIFEST are unused, and two sectors of it may hit both copies.
      if (says_nothing(places[i]) || says_nothing(places[j])) continue;
      if (is_manifest(places[i]) && is_manifest(places[j])) continue;
      all.push_back({places[i], places[j]});
    }
  }
  JudgeAll(param, sample, all, other_bytes);
}

TEST_P(UnreadableTest, NothingButTheSectorIsLost) {
  JudgeEach(GetParam(), kSectorBytes, /*other_bytes=*/false);
}

TEST_P(UnreadableTest, NothingButTheSectorIsLostIfItHoldsOtherBytes) {
  JudgeEach(GetParam(), kSectorBytes, /*other_bytes=*/true);
}

TEST_P(UnreadableTest, NothingButThreeSectorsAreLost) {
  for (const bool other_bytes : {false, true}) {
    JudgeEach(GetParam(), 3 * kSectorBytes, other_bytes);
  }
}

TEST_P(UnreadableTest, NothingButThePageIsLost) {
  for (const bool other_bytes : {false, true}) JudgeEach(GetParam(), kPageBytes, other_bytes);
}

TEST_P(UnreadableTest, NothingButTwoSectorsAreLost) {
  for (const bool other_bytes : {false, true}) JudgePairs(GetParam(), other_bytes);
}

}  // namespace
}  // namespace rumcask
