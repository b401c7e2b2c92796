// Takes databases whose history is known, damages them in every way that can be described in a few
// words, and repairs them. Checks that everything that verifies is kept, that everything lost is
// counted, that nothing old comes back, and that the new database can be used (repair_judge.h).
//
// RUMCASK_FULL=1 flips every byte, cuts at every byte, and continues to write after each case.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/format/format.h"
#include "core/format/manifest.h"
#include "tests/corruption/repair_judge.h"
#include "tests/corruption/tracked_database.h"

namespace rumcask {
namespace {

constexpr int kShownFailures = 5;
constexpr uint64_t kSectorBytes = 512;
constexpr uint64_t kPageBytes = 4096;

struct History {
  const char* name;
  std::function<TrackedDatabase()> make;
};

void PrintTo(const History& history, std::ostream* out) { *out << history.name; }

// Additional damage to MANIFEST.
struct ManifestDamage {
  std::string name;
  std::function<void(Files*)> apply;
};

void Flip(std::string* bytes, uint64_t at, int bit = 0) {
  (*bytes)[at] = static_cast<char>((*bytes)[at] ^ (1 << bit));
}

void Zero(std::string* bytes, uint64_t begin, uint64_t end) {
  std::fill(bytes->begin() + static_cast<ptrdiff_t>(begin),
            bytes->begin() + static_cast<ptrdiff_t>(std::min<uint64_t>(end, bytes->size())), '\0');
}

class RepairTest : public testing::TestWithParam<History> {
 protected:
  RepairTest() : database_(GetParam().make()), judge_(&database_) {}
  ~RepairTest() override {
    std::printf("%s: %d cases, %d of them written on; %d complete; %d violations\n",
                GetParam().name, cases_, continued_, complete_, violations_);
  }

  using Must = std::function<std::string(const Repaired&)>;

  void Case(const std::string& what, const RepairCase& damaged, const Must& must = nullptr) {
    ++cases_;
    // 11 is a prime, so that all kinds of damage and all files get their turn.
    const bool goes_on = full_ || cases_ % 11 == 1;
    if (goes_on) ++continued_;
    const Repaired repaired = judge_.Judge(damaged, goes_on);
    if (repaired.report.complete()) ++complete_;
    for (const std::string& violation : repaired.violations) Violate(what, violation);
    if (must == nullptr || !repaired.violations.empty()) return;
    const std::string broken = must(repaired);
    if (!broken.empty()) Violate(what, broken);
  }

  // Judges the case with MANIFEST as it is, and without it.
  void BothWays(const std::string& what, RepairCase damaged, const Must& must = nullptr) {
    Case(what, damaged, must);
    damaged.files.erase(std::string(kManifestName));
    // Without MANIFEST, no repair is complete.
    damaged.may_be_a_prefix = false;
    Case(absl::StrCat(what, ", no MANIFEST"), damaged, must);
  }

  void Violate(const std::string& what, const std::string& violation) {
    if (++violations_ <= kShownFailures) ADD_FAILURE() << what << ": " << violation;
  }

  bool OnlyIfFull(const char* what) {
    if (!full_) std::printf("%s: with RUMCASK_FULL=1 only\n", what);
    return full_;
  }

  // All but `but` records are in the new database with their content.
  Must EverythingIsKept(size_t but = 0) const {
    return [this, but](const Repaired& repaired) -> std::string {
      const size_t expected = database_.records.size() - but;
      if (repaired.report.records_kept != expected) {
        return absl::StrCat(repaired.report.records_kept, " records kept, not ", expected);
      }
      const RepairReport& report = repaired.report;
      if (but == 0 && !report.manifest_lost && !report.complete()) return "not complete";
      if (but == 0 && repaired.state != database_.StateAt(UINT64_MAX)) return "not what it was";
      return "";
    };
  }

  // All ranges of `bytes` bytes that may be unreadable, sector by sector, in each segment up to
  // where nothing was ever written.
  std::vector<UnreadableRange> Unreadable(uint64_t bytes) const {
    std::vector<UnreadableRange> ranges;
    for (const auto& [file, end] : database_.ends) {
      const uint64_t size = database_.files.at(file).size();
      for (uint64_t at = 0; at < std::min(size, end + 2 * kSectorBytes); at += kSectorBytes) {
        ranges.push_back({absl::StrCat(kSamplePath, "/", file), at, at + bytes});
      }
    }
    return ranges;
  }

  bool IsTail(const std::string& file) const { return !database_.closed && file == database_.last; }

  const bool full_ = std::getenv("RUMCASK_FULL") != nullptr;
  const TrackedDatabase database_;
  const RepairJudge judge_;
  int cases_ = 0, continued_ = 0, complete_ = 0, violations_ = 0;
};

INSTANTIATE_TEST_SUITE_P(
    Histories, RepairTest,
    testing::Values(History{"Closed", ClosedHistory}, History{"Killed", KilledHistory},
                    History{"Reloaded", [] { return ReloadedHistory(true); }},
                    History{"ReloadedAndKilled", [] { return ReloadedHistory(false); }},
                    History{"Dropped", DroppedHistory}),
    [](const auto& param) { return std::string(param.param.name); });

TEST_P(RepairTest, WhatIsSoundStaysAsItIs) {
  Case("nothing", {database_.files}, EverythingIsKept());
  EXPECT_EQ(complete_, 1);
}

TEST_P(RepairTest, EveryDamageOfManifest) {
  const std::string name(kManifestName);
  const uint64_t half = database_.files.at(name).size() / 2;
  const auto with = [&](const std::string& what, const std::function<void(std::string*)>& change) {
    RepairCase damaged{database_.files};
    change(&damaged.files.at(name));
    Case(what, damaged, EverythingIsKept());
  };
  with("first copy zeroed", [&](std::string* bytes) { Zero(bytes, 0, half); });
  with("second copy zeroed", [&](std::string* bytes) { Zero(bytes, half, 2 * half); });
  with("both copies zeroed", [&](std::string* bytes) { Zero(bytes, 0, 2 * half); });
  with("first copy flipped", [&](std::string* bytes) { Flip(bytes, 30); });
  with("second copy flipped", [&](std::string* bytes) { Flip(bytes, half + 30); });
  with("empty", [&](std::string* bytes) { bytes->clear(); });
  with("cut", [&](std::string* bytes) { bytes->resize(100); });
  for (size_t i = 0; i < database_.manifests.size(); ++i) {
    with(absl::StrCat("as it was, version ", i),
         [&](std::string* bytes) { *bytes = database_.manifests[i]; });
  }
  RepairCase missing{database_.files};
  missing.files.erase(name);
  Case("missing", missing, EverythingIsKept());
  for (uint64_t at = 0; at < 2 * half; at += kSectorBytes) {
    Case(absl::StrCat("sector at ", at, " is unreadable"),
         {database_.files, {{absl::StrCat(kSamplePath, "/", name), at, at + kSectorBytes}}},
         EverythingIsKept());
  }
}

TEST_P(RepairTest, EveryMissingSegment) {
  for (const auto& [file, end] : database_.ends) {
    RepairCase damaged{database_.files};
    damaged.files.erase(file);
    damaged.may_be_a_prefix = IsTail(file);
    const auto records = static_cast<size_t>(
        std::count_if(database_.records.begin(), database_.records.end(),
                      [&, &name = file](const TrackedRecord& r) { return r.file == name; }));
    // All other records are kept, although what follows the file is no longer part of the chain.
    BothWays(file, damaged, EverythingIsKept(records));
    if (IsTail(file)) continue;
    const Repaired repaired = judge_.Judge(damaged, false);
    EXPECT_GT(repaired.report.segments_missing, 0u) << file;
    EXPECT_FALSE(repaired.report.complete()) << file;
  }
}

TEST_P(RepairTest, EveryDamagedHeaderAndFooter) {
  for (const auto& [name, end] : database_.ends) {
    const std::string& file = name;
    const std::string& bytes = database_.files.at(file);
    const auto with = [&](const std::string& what,
                          const std::function<void(std::string*)>& change) {
      RepairCase damaged{database_.files};
      change(&damaged.files.at(file));
      BothWays(absl::StrCat(file, " ", what), damaged, EverythingIsKept());
    };
    with("header zeroed", [&](std::string* b) { Zero(b, 0, kSegmentHeaderBytes); });
    for (uint64_t at = 0; at < kSegmentHeaderBytes; at += full_ ? 1 : 24) {
      with(absl::StrCat("header flipped at ", at), [&](std::string* b) { Flip(b, at, 3); });
    }
    if (database_.sealed.count(file) == 0) continue;
    with("trailer zeroed", [&](std::string* b) { Zero(b, b->size() - kTrailerBytes, b->size()); });
    with("footer cut off", [&, end = end](std::string* b) { b->resize(end); });
    with("footer cut", [&, end = end](std::string* b) { b->resize((end + b->size()) / 2); });
    for (uint64_t at = end; at < bytes.size(); at += full_ ? 1 : 17) {
      with(absl::StrCat("footer flipped at ", at), [&](std::string* b) { Flip(b, at, 5); });
    }
  }
}

TEST_P(RepairTest, EveryDamagedRecord) {
  for (const TrackedRecord& record : database_.records) {
    const uint64_t data = record.offset + kRecordHeaderBytes;
    std::vector<uint64_t> places = {record.offset, record.offset + 9, data};
    if (full_) {
      const uint64_t bytes =
          kRecordHeaderBytes + record.header.key_bytes + record.header.value_bytes;
      places.clear();
      for (uint64_t i = 0; i < bytes; ++i) places.push_back(record.offset + i);
    }
    const bool sealed = database_.sealed.count(record.file) > 0;
    for (uint64_t place : places) {
      RepairCase damaged{database_.files};
      Flip(&damaged.files.at(record.file), place, static_cast<int>(place % 8));
      const std::string what = absl::StrCat(record.file, " flipped at ", place);
      if (sealed) {
        BothWays(what, damaged, EverythingIsKept(1));
      } else if (database_.closed) {
        // MANIFEST vouches for all other records; nothing is kept of the batch.
        Case(what, damaged, EverythingIsKept(record.last_of_batch - record.first_of_batch + 1));
        damaged.files.erase(std::string(kManifestName));
        Case(absl::StrCat(what, ", no MANIFEST"), damaged);
      } else {
        BothWays(what, damaged);
      }
    }
    // If the last record is zeroed, nothing shows that it existed.
    RepairCase zeroed{database_.files};
    Zero(&zeroed.files.at(record.file), record.offset, record.end());
    zeroed.may_be_a_prefix = IsTail(record.file);
    BothWays(absl::StrCat(record.file, " zeroed at ", record.offset), zeroed);
    if (!sealed) continue;
    // Without a key table only the place of the damage is known.
    RepairCase blind = std::move(zeroed);
    std::string& bytes = blind.files.at(record.file);
    Flip(&bytes, bytes.size() - 1);
    Flip(&bytes, database_.ends.at(record.file));
    BothWays(absl::StrCat(record.file, " zeroed at ", record.offset, ", no footer"), blind);
  }
}

TEST_P(RepairTest, EveryTwoDamagedRecordsOfUnsealedSegments) {
  std::vector<const TrackedRecord*> records;
  for (const TrackedRecord& record : database_.records) {
    if (database_.sealed.count(record.file) == 0) records.push_back(&record);
  }
  for (size_t i = 0; i < records.size(); ++i) {
    for (size_t j = i + 1; j < records.size(); j += full_ ? 1 : 3) {
      RepairCase damaged{database_.files};
      Flip(&damaged.files.at(records[i]->file), records[i]->offset + 20);
      Flip(&damaged.files.at(records[j]->file), records[j]->offset + 20);
      BothWays(absl::StrCat("flipped at ", records[i]->offset, " and ", records[j]->offset),
               damaged);
    }
  }
}

TEST_P(RepairTest, EveryCut) {
  for (const auto& [file, end] : database_.ends) {
    const uint64_t size = database_.files.at(file).size();
    std::vector<uint64_t> sizes = {0,   7,      kSegmentHeaderBytes - 1, kSegmentHeaderBytes,
                                   end, end + 1};
    for (const TrackedRecord& record : database_.records) {
      if (record.file != file) continue;
      sizes.push_back(record.offset);
      sizes.push_back(record.offset + 8);
      sizes.push_back(record.end() - 1);
    }
    if (full_) {
      sizes.clear();
      for (uint64_t at = 0; at < std::min(size, end + 200); ++at) sizes.push_back(at);
    }
    for (uint64_t at : sizes) {
      if (at >= size) continue;
      RepairCase damaged{database_.files};
      damaged.files.at(file).resize(at);
      // The end of the last file is the end of the log, unless something vouches for more.
      damaged.may_be_a_prefix = IsTail(file);
      BothWays(absl::StrCat(file, " cut to ", at), damaged);
    }
  }
}

TEST_P(RepairTest, EveryUnreadableSector) {
  for (const UnreadableRange& range : Unreadable(kSectorBytes)) {
    BothWays(absl::StrCat(range.name, " unreadable at ", range.begin), {database_.files, {range}});
  }
}

TEST_P(RepairTest, EveryUnreadableArea) {
  for (const uint64_t bytes : {3 * kSectorBytes, kPageBytes}) {
    for (const UnreadableRange& range : Unreadable(bytes)) {
      BothWays(absl::StrCat(range.name, " unreadable from ", range.begin, " to ", range.end),
               {database_.files, {range}});
    }
  }
}

TEST_P(RepairTest, EveryTwoUnreadableSectors) {
  const std::vector<UnreadableRange> ranges = Unreadable(kSectorBytes);
  for (size_t i = 0; i < ranges.size(); ++i) {
    for (size_t j = i + 1; j < ranges.size(); ++j) {
      BothWays(absl::StrCat(ranges[i].name, " unreadable at ", ranges[i].begin, " and ",
                            ranges[j].name, " at ", ranges[j].begin),
               {database_.files, {ranges[i], ranges[j]}});
    }
  }
}

TEST_P(RepairTest, BothCopiesOfManifestAreUnreadable) {
  const std::string name(kManifestName);
  const uint64_t half = database_.files.at(name).size() / 2;
  const std::string path = absl::StrCat(kSamplePath, "/", name);
  Case("all of it", {database_.files, {{path, 0, 2 * half}}}, EverythingIsKept());
  Case("a sector of each",
       {database_.files, {{path, 0, kSectorBytes}, {path, half, half + kSectorBytes}}},
       EverythingIsKept());
}

}  // namespace
}  // namespace rumcask
