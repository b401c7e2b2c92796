// Damages small databases in every way that can be described in a few words. Checks that no damage
// goes unnoticed, that none shows a wrong value, and that none costs more than what was damaged.
//
// Damage counts as noticed if opening fails with DataLoss or calls the listener, if a read is
// DataLoss, or if Verify lists it. Everything else is harmless and listed with its reason. Only an
// older copy of MANIFEST, or an older copy of a segment with the same records, may be harmless.
//
// RUMCASK_FULL=1 judges each case in all combinations of read modes, and continues to write after
// each.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

#include "core/damage.h"
#include "tests/corruption/damage_judge.h"
#include "tests/corruption/sample_database.h"

namespace rumcask {
namespace {

constexpr size_t kSectorBytes = 512;
constexpr int kShownFailures = 5;

struct Sample {
  const char* name;
  std::function<SampleDatabase()> make;
};

void PrintTo(const Sample& sample, std::ostream* out) { *out << sample.name; }

class CorruptionTest : public testing::TestWithParam<Sample> {
 protected:
  CorruptionTest() : sample_(GetParam().make()), judge_(&sample_) {}
  ~CorruptionTest() override {
    std::printf(
        "%s: %d cases, %d of them written on; %d refused, %d told at opening, %d seen by "
        "reads, %d by verify alone, %d inert; %d violations\n",
        GetParam().name, cases_, continued_, refused_, told_, read_, verified_only_, inert_,
        violations_);
    std::printf(
        "  older values shown read-only, where writing is refused and the listener told: %d\n",
        outdated_);
    for (const auto& [cause, places] : verify_alone_) {
      std::printf("  verify alone: %s: %s\n", cause.c_str(), places.c_str());
    }
  }

  // Judges one case by the rules for all cases; `must` may add a rule.
  void Case(const std::string& what, const Files& files,
            const std::function<std::string(const Finding&)>& must = nullptr,
            bool may_be_inert = false) {
    if (met_++ % stride_ != 0) return;
    ++cases_;
    if (full_) {
      for (int modes = 0; modes < 4; ++modes) Judge(what, files, modes, must, may_be_inert);
    } else {
      Judge(what, files, cases_ % 2 == 0 ? 1 : 2, must, may_be_inert);
    }
    // 13 is a prime, so that all bits and files get their turn.
    if (full_ || may_be_inert || cases_ % 13 == 0) {
      ++continued_;
      for (const std::string& violation : judge_.Continue(files)) Violate(what, violation);
    }
  }

  void Judge(const std::string& what, const Files& files, int modes,
             const std::function<std::string(const Finding&)>& must, bool may_be_inert) {
    const Finding finding =
        judge_.Judge(files, (modes & 1) != 0 ? ReadMode::kMapped : ReadMode::kPread,
                     (modes & 2) != 0 ? ReadMode::kMapped : ReadMode::kPread);
    for (const std::string& violation : finding.violations) Violate(what, violation);
    if (finding.refused) ++refused_;
    if (!finding.outdated.empty()) ++outdated_;
    if (!finding.outdated.empty() && !finding.refused) {
      Violate(what, "shows older values, yet is not refused for writing");
    }
    if (finding.told_at_opening) ++told_;
    if (!finding.lost.empty()) ++read_;
    if (!finding.detected()) {
      ++inert_;
      if (!may_be_inert) Violate(what, "nothing notices it");
    } else if (!finding.refused && !finding.told_at_opening && finding.lost.empty()) {
      ++verified_only_;
      seen_by_verify_alone_ = finding.verified.front().cause;
    }
    if (must != nullptr) {
      const std::string broken = must(finding);
      if (!broken.empty()) Violate(what, broken);
    }
  }

  void Violate(const std::string& what, const std::string& violation) {
    if (++violations_ <= kShownFailures) ADD_FAILURE() << what << ": " << violation;
  }

  static int Stride() {
    const char* const stride = std::getenv("RUMCASK_DAMAGE_STRIDE");
    return stride == nullptr ? 1 : std::max(1, std::atoi(stride));
  }

  const bool full_ = std::getenv("RUMCASK_FULL") != nullptr;
  const int stride_ = Stride();
  const SampleDatabase sample_;
  DamageJudge judge_;
  int met_ = 0, cases_ = 0, continued_ = 0, refused_ = 0, told_ = 0, read_ = 0, verified_only_ = 0,
      inert_ = 0, outdated_ = 0, violations_ = 0;
  // The cause that Verify gave for the last case that nothing else noticed.
  std::string seen_by_verify_alone_;
  std::map<std::string, std::string> verify_alone_;
};

INSTANTIATE_TEST_SUITE_P(Samples, CorruptionTest,
                         testing::Values(Sample{"Sealed", SealedSample},
                                         Sample{"Closed", ClosedSample}),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_P(CorruptionTest, AnUndamagedSampleIsClean) {
  const Finding finding = judge_.Judge(sample_.files, ReadMode::kMapped, ReadMode::kPread);
  EXPECT_TRUE(finding.violations.empty()) << finding.violations.front();
  EXPECT_FALSE(finding.detected());
  EXPECT_GE(sample_.sealed.size(), GetParam().name == std::string("Sealed") ? 3u : 0u);
  for (const auto& [name, bytes] : sample_.files) {
    std::printf("%s, %s: %zu bytes, %zu older versions\n", GetParam().name, name.c_str(),
                bytes.size(), sample_.older.at(name).size());
  }
}

// What one flipped bit may cost, depending on what it belongs to.
std::string WhatABitMayCost(const SampleDatabase& sample, const std::string& name, uint64_t byte,
                            const Finding& finding) {
  if (finding.verified.empty()) return "verify does not list it";
  for (const Damage& damage : finding.verified) {
    if (damage.file != name) return absl::StrCat("verify blames ", damage.file);
  }
  std::set<std::string> lost;
  const SampleRecord* const record = sample.RecordAt(name, byte);
  const bool is_segment = name != kManifestName;
  const bool in_padding = record != nullptr && byte >= record->padding_at;
  if (in_padding && record->end - record->padding_at > 7) return "padding of more than 7 bytes";
  if (is_segment && sample.sealed.count(name) == 0 && !in_padding) {
    // The key of a damaged record in an unsealed segment cannot be known.
    return finding.refused ? "" : "opening for writing is not refused";
  }
  if (finding.refused) return "opening for writing is refused";
  if (!finding.outdated.empty()) return "a read-only opening shows older values";
  if (record != nullptr && !in_padding && record->is_newest && record->is_put) {
    lost.insert(record->key);
  }
  if (finding.lost == lost) return "";
  return absl::StrCat("keys lost: {", absl::StrJoin(finding.lost, ", "), "} instead of {",
                      absl::StrJoin(lost, ", "), "}");
}

TEST_P(CorruptionTest, EveryBit) {
  for (const auto& [name, bytes] : sample_.files) {
    for (uint64_t byte = 0; byte < bytes.size(); ++byte) {
      seen_by_verify_alone_.clear();
      for (int bit = 0; bit < 8; ++bit) {
        Files files = sample_.files;
        files[name][byte] = static_cast<char>(files[name][byte] ^ (1 << bit));
        Case(absl::StrCat(name, " byte ", byte, " bit ", bit), files,
             [&, &file = name](const Finding& finding) {
               return WhatABitMayCost(sample_, file, byte, finding);
             });
      }
      const SampleRecord* const record = sample_.RecordAt(name, byte);
      if (!seen_by_verify_alone_.empty() && record != nullptr && byte >= record->padding_at) {
        absl::StrAppend(&verify_alone_[seen_by_verify_alone_], name.substr(12, 4), ":", byte, " ");
      }
    }
  }
}

TEST_P(CorruptionTest, EveryTruncation) {
  for (const auto& [name, bytes] : sample_.files) {
    for (uint64_t size = 0; size < bytes.size(); ++size) {
      Files files = sample_.files;
      files[name].resize(size);
      Case(absl::StrCat(name, " cut to ", size), files);
    }
  }
}

struct SectorPlace {
  std::string file;
  size_t offset;
};

TEST_P(CorruptionTest, EverySectorZeroedSwappedOrDuplicated) {
  std::vector<SectorPlace> places;
  for (const auto& [name, bytes] : sample_.files) {
    for (size_t at = 0; at < bytes.size(); at += kSectorBytes) places.push_back({name, at});
  }
  const auto sector = [&](const SectorPlace& place) {
    return sample_.files.at(place.file).substr(place.offset, kSectorBytes);
  };
  // The file keeps its size, whatever its last sector gets.
  const auto put = [](const SectorPlace& place, const std::string& bytes, Files* files) {
    std::string& file = (*files)[place.file];
    const size_t size = std::min({kSectorBytes, bytes.size(), file.size() - place.offset});
    file.replace(place.offset, size, bytes, 0, size);
  };
  const auto judge = [&](const std::string& what, const Files& files) {
    if (files != sample_.files) Case(what, files);
  };
  for (const SectorPlace& a : places) {
    const std::string name = absl::StrCat(a.file, " sector at ", a.offset);
    Files zeroed = sample_.files;
    put(a, std::string(kSectorBytes, '\0'), &zeroed);
    judge(absl::StrCat(name, " zeroed"), zeroed);
    for (const SectorPlace& b : places) {
      const std::string other = absl::StrCat(b.file, " sector at ", b.offset);
      Files duplicated = sample_.files;
      put(a, sector(b), &duplicated);
      judge(absl::StrCat(name, " is a duplicate of ", other), duplicated);
      if (std::tie(a.file, a.offset) >= std::tie(b.file, b.offset)) continue;
      Files swapped = duplicated;
      put(b, sector(a), &swapped);
      judge(absl::StrCat(name, " swapped with ", other), swapped);
    }
  }
}

TEST_P(CorruptionTest, EveryMissingFile) {
  for (const auto& [name, bytes] : sample_.files) {
    Files files = sample_.files;
    files.erase(name);
    Case(absl::StrCat(name, " is missing"), files, [](const Finding& finding) {
      return finding.refused ? "" : "opening for writing is not refused";
    });
  }
}

TEST_P(CorruptionTest, EveryOlderCopy) {
  for (const auto& [name, versions] : sample_.older) {
    if (sample_.files.count(name) == 0) continue;
    // What happened after a MANIFEST was written is judged by the chain of the segments. So with an
    // older one, opening takes longer and nothing is hidden. It would hide something if segments
    // had been retired or dropped in between; but then MANIFEST lists files that are missing.
    const bool manifest = name == kManifestName;
    const std::string& now = sample_.files.at(name);
    for (size_t i = 0; i < versions.size(); ++i) {
      if (versions[i] == now) continue;
      // The older copy has the same records; closing only cut off the space reserved for more.
      const bool same_records = !manifest && versions[i].compare(0, now.size(), now) == 0;
      if (same_records) {
        ASSERT_EQ(versions[i].find_first_not_of('\0', now.size()), std::string::npos);
      }
      Files files = sample_.files;
      files[name] = versions[i];
      const int inert_before = inert_;
      Case(
          absl::StrCat(name, " as it was, version ", i), files,
          [&](const Finding& finding) {
            return finding.lost.empty() || !manifest ? "" : "an older MANIFEST costs a key";
          },
          /*may_be_inert=*/manifest || same_records);
      if (inert_ > inert_before) {
        std::printf("inert: version %zu of %s: %s\n", i, name.c_str(),
                    manifest ? "the chain of segments tells what happened since"
                             : "the same records, followed by space that was never used");
      }
    }
  }
}

}  // namespace
}  // namespace rumcask
