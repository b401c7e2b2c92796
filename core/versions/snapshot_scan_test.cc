#include "core/versions/snapshot_scan.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/versions/empty_ranges.h"
#include "core/versions/key_version.h"
#include "core/versions/past_versions.h"
#include "core/versions/scan_work.h"

namespace rumcask {
namespace {

using Snapshot = std::shared_ptr<const KeystoreSnapshot>;
using Entries = std::map<std::string, KeyVersion>;

KeyVersion PutAt(uint64_t sequence) { return {sequence, Location::Make(0, sequence * 8, 8)}; }

bool InRange(const KeyRange& range, std::string_view key) {
  if (range.after_lower ? key <= range.lower : key < range.lower) return false;
  return range.upper.empty() || key < range.upper;
}

// Newest versions in several maps, the first being the newest.
class Sources final : public ScanSources {
 public:
  explicit Sources(std::vector<Entries>* maps) : maps_(maps) {}
  void Capture() override { ++captures; }
  size_t count() const override { return maps_->size(); }
  absl::Status Fetch(size_t i, const KeyRange& range, size_t limit, KeyBlock* block) override {
    ++fetches;
    if (fails_at == fetches) return absl::InternalError("the index fails");
    block->Clear();
    const auto add = [&](const auto& entry) {
      if (block->size() < limit && InRange(range, entry.first)) {
        block->Add(entry.first, entry.second.location, entry.second.sequence);
      }
    };
    const Entries& map = (*maps_)[i];
    if (range.reverse) {
      for (auto it = map.rbegin(); it != map.rend(); ++it) add(*it);
    } else {
      for (auto it = map.begin(); it != map.end(); ++it) add(*it);
    }
    return absl::OkStatus();
  }

  int captures = 0;
  int fetches = 0;
  int fails_at = 0;

 private:
  std::vector<Entries>* const maps_;
};

// A keystore of two buffers in front of an index, and what it must answer.
class SnapshotScanTest : public testing::Test {
 protected:
  void Write(const std::string& key, bool is_delete) {
    const uint64_t sequence = ++last_;
    const KeyVersion version = is_delete ? KeyVersion{sequence, Location()} : PutAt(sequence);
    empty_.Changing(sequence);
    const auto newest = maps_[0].find(key);
    if (newest != maps_[0].end()) past_.Keep(key, newest->second, sequence);
    maps_[0][key] = version;
    if (!is_delete) empty_.HasPut(key);
    history_[key].push_back(version);
  }

  // Everything moves from one source to the next one.
  void Push(size_t i) {
    for (const auto& [key, version] : maps_[i]) {
      const auto older = maps_[i + 1].find(key);
      if (older != maps_[i + 1].end()) past_.Keep(key, older->second, version.sequence);
      // An index drops what a delete says.
      if (i + 2 == maps_.size() && !version.location.exists()) {
        maps_[i + 1].erase(key);
      } else {
        maps_[i + 1][key] = version;
      }
    }
    maps_[i].clear();
  }

  // The keys of the range as of a number, by the whole history.
  std::vector<std::pair<std::string, uint64_t>> Expected(uint64_t sequence, const KeyRange& range,
                                                         size_t limit) const {
    std::vector<std::pair<std::string, uint64_t>> result;
    for (const auto& [key, versions] : history_) {
      const KeyVersion* seen = nullptr;
      for (const KeyVersion& version : versions) {
        if (version.sequence <= sequence) seen = &version;
      }
      if (seen != nullptr && seen->location.exists() && InRange(range, key)) {
        result.emplace_back(key, seen->sequence);
      }
    }
    if (range.reverse) std::reverse(result.begin(), result.end());
    if (result.size() > limit) result.resize(limit);
    return result;
  }

  std::vector<std::pair<std::string, uint64_t>> Scanned(const Snapshot& snapshot,
                                                        const KeyRange& range, size_t limit) {
    Sources sources(&maps_);
    KeyBlock block;
    block.Add("stale", Location(), 1);
    EXPECT_TRUE(ScanSnapshot(&sources, past_, &empty_, *snapshot, range, limit, &block).ok());
    EXPECT_GE(sources.captures, 1);
    std::vector<std::pair<std::string, uint64_t>> result;
    for (size_t i = 0; i < block.size(); ++i) {
      EXPECT_EQ(block.location(i), PutAt(block.sequence(i)).location);
      result.emplace_back(block.key(i), block.sequence(i));
    }
    return result;
  }

  PastVersions past_{{uint64_t{1} << 40, false}};
  EmptyRanges empty_;
  std::vector<Entries> maps_{3};
  std::map<std::string, std::vector<KeyVersion>> history_;
  uint64_t last_ = 0;
};

TEST_F(SnapshotScanTest, EachKeyComesOnceFromTheNewestSourceThatItSees) {
  Write("a", false);
  Write("b", false);
  Write("c", false);
  Push(0);
  Push(1);
  const Snapshot old = past_.TakeSnapshot(last_);
  Write("b", false);
  Push(0);
  Write("c", true);
  Write("d", false);
  const Snapshot now = past_.TakeSnapshot(last_);
  using Keys = std::vector<std::pair<std::string, uint64_t>>;
  EXPECT_EQ(Scanned(old, {}, 10), (Keys{{"a", 1}, {"b", 2}, {"c", 3}}));
  EXPECT_EQ(Scanned(now, {}, 10), (Keys{{"a", 1}, {"b", 4}, {"d", 6}}));
  EXPECT_EQ(Scanned(now, {"a", "d", true, false}, 10), (Keys{{"b", 4}}));
  EXPECT_EQ(Scanned(now, {"", "", false, true}, 2), (Keys{{"d", 6}, {"b", 4}}));
  EXPECT_EQ(Scanned(now, {"e", "", false, false}, 2), Keys{});
}

TEST_F(SnapshotScanTest, ASourceThatFailsEndsTheScanAndLeavesNothing) {
  for (int i = 0; i < 100; ++i) Write(absl::StrCat("key", 100 + i), false);
  Push(0);
  Push(1);
  Write("key150", false);
  const Snapshot snapshot = past_.TakeSnapshot(last_);
  int failures = 0;
  for (int n = 1;; ++n) {
    Sources sources(&maps_);
    sources.fails_at = n;
    KeyBlock block;
    const absl::Status status = ScanSnapshot(&sources, past_, &empty_, *snapshot, {}, 80, &block);
    if (status.ok()) break;
    ++failures;
    EXPECT_TRUE(block.empty());
  }
  EXPECT_GE(failures, 3);
}

// At random, against the whole history.
TEST_F(SnapshotScanTest, EverySnapshotSeesItsMomentWhereverTheVersionsAre) {
  std::mt19937 random(20);
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  const auto key = [&] { return absl::StrCat("k", 1000 + below(400)); };
  std::vector<Snapshot> snapshots;
  for (int round = 0; round < 400; ++round) {
    // Now and then so many deletes in a row that they are worth being noted.
    if (below(40) == 0) {
      const size_t first = below(100);
      for (size_t i = first; i < first + 300; ++i) Write(absl::StrCat("k", 1000 + i), true);
    }
    for (size_t i = below(30); i > 0; --i) Write(key(), below(3) == 0);
    if (below(4) == 0) Push(1);
    if (below(3) == 0) Push(0);
    if (below(3) == 0) snapshots.push_back(past_.TakeSnapshot(last_));
    if (snapshots.size() > 5) snapshots.erase(snapshots.begin() + static_cast<int>(below(5)));
    for (const Snapshot& snapshot : snapshots) {
      const std::string a = key(), b = below(4) == 0 ? "" : key();
      const KeyRange range{a, b, below(2) == 0, below(2) == 0};
      const size_t limit = below(2) == 0 ? 1 + below(5) : 1000;
      ASSERT_EQ(Scanned(snapshot, range, limit), Expected(snapshot->sequence(), range, limit))
          << "round " << round << " as of " << snapshot->sequence() << ": " << a << " to " << b
          << (range.reverse ? " reverse" : "") << " limit " << limit;
    }
  }
}

TEST_F(SnapshotScanTest, DeletesAreSteppedOverOnce) {
  constexpr int kKeys = 5000;
  for (int i = 0; i < kKeys; ++i) Write(absl::StrCat("k", 10000 + i), false);
  for (int i = 0; i < kKeys - 1; ++i) Write(absl::StrCat("k", 10000 + i), true);
  const Snapshot snapshot = past_.TakeSnapshot(last_);
  EXPECT_EQ(Scanned(snapshot, {}, 1).size(), 1u);
  const uint64_t before = ThreadScanWork().steps;
  EXPECT_EQ(Scanned(snapshot, {}, 1).size(), 1u);
  EXPECT_LT(ThreadScanWork().steps - before, 200u);
  // A put among them is seen by the next snapshot.
  Write("k12000", false);
  const Snapshot later = past_.TakeSnapshot(last_);
  EXPECT_EQ(Scanned(later, {}, 1).front().first, "k12000");
}

TEST_F(SnapshotScanTest, ExploringNotesHowFarNothingIsThere) {
  for (int i = 0; i < 2000; ++i) Write(absl::StrCat("k", 10000 + i), i != 1500);
  Sources sources(&maps_);
  const uint64_t stepped = ExploreAround(&sources, &empty_, "k10700", 2000);
  EXPECT_GE(stepped, 1000u);
  std::string end;
  EXPECT_EQ(empty_.Find(last_, "k10700", /*reverse=*/false, &end), EmptyRanges::Kind::kForLater);
  EXPECT_LE(end, "k11500");
  EXPECT_GT(end, "k11400");
  EXPECT_EQ(Scanned(past_.TakeSnapshot(last_), {"k10700", "", false, false}, 1).front().first,
            "k11500");
}

}  // namespace
}  // namespace rumcask
