#include "core/log/live_set.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#include "core/testing/segment_bytes.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

constexpr const char* kPath = "/crash";

absl::Status Unchanged(Manifest* /*manifest*/) { return absl::OkStatus(); }

class LiveSetTest : public testing::Test {
 protected:
  LiveSetTest() : directory_(*faults_.OpenDirectory(kPath)) {
    found_.manifest.uuid = {4, 7, 11};
    found_.manifest.keystore = "hash";
    found_.manifest.clean = true;
  }

  // What the directory has, or would have after a power cut.
  absl::StatusOr<DecodedManifest> OnDisk() {
    auto directory = disk_.OpenDirectory(kPath);
    return ReadManifest(directory->get());
  }
  absl::StatusOr<DecodedManifest> AfterAPowerCut() {
    CrashFileSystem after(disk_.Cut(KeepPolicy::DropUnsynced()));
    auto directory = after.OpenDirectory(kPath);
    return ReadManifest(directory->get());
  }

  // Fails the n-th call of a kind from now on.
  void FailCall(CallKind kind, uint64_t n) {
    FaultPlan plan;
    plan.call = n;
    plan.matches = [kind](const Call& call) { return call.kind == kind; };
    faults_.SetPlan(plan);
  }

  CrashFileSystem disk_;
  FaultFileSystem faults_{&disk_};
  const std::unique_ptr<Directory> directory_;
  RecoveredLog found_;
};

TEST_F(LiveSetTest, BeginningWritesNothing) {
  LiveSet live_set(directory_.get());
  live_set.Begin(found_, &faults_);
  EXPECT_TRUE(absl::IsNotFound(OnDisk().status()));
  EXPECT_EQ(live_set.manifest().keystore, "hash");
}

TEST_F(LiveSetTest, TheFirstManifestComesAfterTheDirectorysOwnEntry) {
  std::vector<CallKind> kinds;
  faults_.SetHook([&](const Call& call) { kinds.push_back(call.kind); });
  LiveSet live_set(directory_.get());
  live_set.Begin(found_, &faults_);
  ASSERT_TRUE(live_set.Change(Unchanged).ok());
  ASSERT_FALSE(kinds.empty());
  EXPECT_EQ(kinds.front(), CallKind::kSyncParent);
  EXPECT_EQ(kinds.back(), CallKind::kSyncDirectory);
  EXPECT_TRUE(AfterAPowerCut().ok());
  // Later ones need not ask for it again.
  kinds.clear();
  ASSERT_TRUE(live_set.Change(Unchanged).ok());
  EXPECT_NE(kinds.front(), CallKind::kSyncParent);
  faults_.SetHook(nullptr);
}

TEST_F(LiveSetTest, WithoutTheDirectorysEntryThereIsNoManifest) {
  LiveSet live_set(directory_.get());
  live_set.Begin(found_, &faults_);
  FailCall(CallKind::kSyncParent, 1);
  EXPECT_FALSE(live_set.Change(Unchanged).ok());
  EXPECT_TRUE(absl::IsNotFound(OnDisk().status()));
  // The next attempt makes it durable.
  FailCall(CallKind::kSyncParent, 2);
  EXPECT_TRUE(live_set.Change(Unchanged).ok());
  EXPECT_EQ(faults_.SetPlan({}).calls, 1u);
}

TEST_F(LiveSetTest, AChangeThatFailsIsForgotten) {
  LiveSet live_set(directory_.get());
  live_set.Begin(found_, nullptr);
  ASSERT_TRUE(live_set.Change(Unchanged).ok());
  const auto rename = [](Manifest* manifest) {
    manifest->keystore = "btree";
    return absl::OkStatus();
  };
  // Refused by what makes the change, and by the disk.
  EXPECT_TRUE(absl::IsAborted(live_set.Change([&](Manifest* manifest) {
    (void)rename(manifest);
    return absl::AbortedError("");
  })));
  FailCall(CallKind::kWrite, 1);
  EXPECT_FALSE(live_set.Change(rename).ok());
  faults_.SetPlan({});
  EXPECT_EQ(live_set.manifest().keystore, "hash");
  ASSERT_TRUE(live_set.Change(Unchanged).ok());
  EXPECT_EQ(AfterAPowerCut()->manifest.keystore, "hash");
  ASSERT_TRUE(live_set.Change(rename).ok());
  EXPECT_EQ(AfterAPowerCut()->manifest.keystore, "btree");
}

TEST_F(LiveSetTest, ChangesOfSeveralThreadsAreAllThere) {
  LiveSet live_set(directory_.get());
  live_set.Begin(found_, nullptr);
  constexpr int kThreads = 4;
  constexpr int kChanges = 25;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < kChanges; ++j) {
        EXPECT_TRUE(live_set
                        .Change([](Manifest* manifest) {
                          ++manifest->incarnation;
                          return absl::OkStatus();
                        })
                        .ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(AfterAPowerCut()->manifest.incarnation, kThreads * kChanges);
}

TEST_F(LiveSetTest, NothingIsWrittenOnceItIsFrozen) {
  LiveSet live_set(directory_.get());
  live_set.Begin(found_, nullptr);
  live_set.Freeze();
  EXPECT_TRUE(live_set.Change(Unchanged).ok());
  EXPECT_TRUE(absl::IsNotFound(OnDisk().status()));
}

TEST_F(LiveSetTest, ClosingListsWhatItIsGiven) {
  LiveSet live_set(directory_.get());
  found_.manifest.incarnation = 42;
  live_set.Begin(found_, nullptr);
  ASSERT_TRUE(live_set
                  .Close({{1, Stream::kUser, true, 500},
                          {2, Stream::kUser, true, 600},
                          {4, Stream::kUser, false, 704}},
                         /*highest_id=*/5, /*last_sequence=*/17, /*next_sequence=*/18)
                  .ok());
  const auto written = AfterAPowerCut();
  ASSERT_TRUE(written.ok()) << written.status();
  const Manifest& manifest = written->manifest;
  EXPECT_TRUE(manifest.clean);
  EXPECT_EQ(manifest.highest_id, 5u);
  EXPECT_EQ(manifest.durable_sequence, 17u);
  EXPECT_EQ(manifest.next_sequence, 18u);
  EXPECT_EQ(manifest.incarnation, 42u);
  ASSERT_NE(manifest.Find(1), nullptr);
  EXPECT_TRUE(manifest.Find(2)->sealed);
  EXPECT_EQ(manifest.Find(3), nullptr);
  ASSERT_NE(manifest.Find(4), nullptr);
  EXPECT_FALSE(manifest.Find(4)->sealed);
  EXPECT_EQ(manifest.Find(4)->required_end, 704u);
}

// What compaction lists of a database of a hundred thousand segments, and what it takes on the
// disk.
class ManySegmentsTest : public LiveSetTest {
 protected:
  static constexpr uint64_t kSegments = 100000;
  // Of a segment of the default size, with room for its footer.
  static constexpr uint64_t kEnd = uint64_t{60} << 20;

  // The bytes of MANIFEST after a compaction that leaves these.
  uint64_t SizeOf(const std::vector<LiveSet::LiveSegment>& live) {
    LiveSet live_set(directory_.get());
    live_set.Begin(found_, nullptr);
    bool final = false;
    const uint64_t newest = (uint64_t{1} << 50) + 1;
    const absl::Status status =
        live_set.TurnOver(live, live.back().id + 1, newest, newest - 100, &final);
    EXPECT_TRUE(status.ok()) << status;
    ExpectListed(live);
    return disk_.Contents(kPath).at("MANIFEST").size();
  }
  // That each of them, and none else, is there after a power cut, as it was given.
  void ExpectListed(const std::vector<LiveSet::LiveSegment>& live) {
    const auto written = AfterAPowerCut();
    ASSERT_TRUE(written.ok()) << written.status();
    uint64_t listed = 0;
    for (const ManifestRange& range : written->manifest.live) {
      listed += range.last_id - range.first_id + 1;
    }
    ASSERT_EQ(listed, live.size());
    for (const LiveSet::LiveSegment& segment : live) {
      const ManifestRange* const range = written->manifest.Find(segment.id);
      ASSERT_NE(range, nullptr) << segment.id;
      ASSERT_EQ(range->stream, segment.stream);
      ASSERT_EQ(range->sealed, segment.sealed);
      const bool has_end = segment.stream == Stream::kSurvivor;
      ASSERT_EQ(range->required_end, has_end ? segment.end : 0);
    }
  }
};

// Of all ids that were given out, compaction has left one in some; what it has moved twice or more
// is old and stays. The newest are the user's, one behind the other.
TEST_F(ManySegmentsTest, OfALongLifeTakeAtMost1400000Bytes) {
  std::mt19937_64 random(1);
  for (const uint64_t survivors_in_ten : {1, 5, 9}) {
    SCOPED_TRACE(survivors_in_ten);
    std::vector<LiveSet::LiveSegment> live;
    uint64_t id = uint64_t{1} << 40;
    while (live.size() < kSegments) {
      id += 1 + random() % 60;
      const bool survivor = random() % 10 < survivors_in_ten;
      const uint64_t end = survivor ? (1 + random() % (kEnd / 8)) * 8 : kEnd;
      live.push_back({id, survivor ? Stream::kSurvivor : Stream::kUser, /*sealed=*/true, end});
    }
    const uint64_t size = SizeOf(live);
    std::printf("%llu bytes, %llu survivors in ten\n", static_cast<unsigned long long>(size),
                static_cast<unsigned long long>(survivors_in_ten));
    EXPECT_LE(size, 1400000u);
  }
}

// Before anything is compacted they are one range.
TEST_F(ManySegmentsTest, InARowTakeNextToNothing) {
  std::vector<LiveSet::LiveSegment> live;
  for (uint64_t i = 0; i < kSegments; ++i) live.push_back({1 + i, Stream::kUser, true, kEnd});
  EXPECT_EQ(SizeOf(live), 8192u);
}

// All are survivors of which none is the neighbour of another: six bytes each, or seven where fewer
// than one id in 127 is left, in two copies.
TEST_F(ManySegmentsTest, AtWorstTakeSevenBytesForEachCopy) {
  for (const uint64_t distance : {2, 127, 128, 16383}) {
    SCOPED_TRACE(distance);
    std::vector<LiveSet::LiveSegment> live;
    for (uint64_t i = 1; i <= kSegments; ++i) {
      live.push_back({(uint64_t{1} << 40) + i * distance, Stream::kSurvivor, true, kEnd});
    }
    const uint64_t size = SizeOf(live);
    std::printf("%llu bytes, one id in %llu\n", static_cast<unsigned long long>(size),
                static_cast<unsigned long long>(distance));
    const uint64_t each = distance < 128 ? 6 : 7;
    // What is not of segments, filled up to whole blocks.
    EXPECT_LE(size, 2 * (each * kSegments + 4096 + 100));
    if (distance < 128) {
      EXPECT_LE(size, 1400000u);
    }
  }
}

class CommitTest : public LiveSetTest {
 protected:
  // A segment that a killed process left, and one that was never begun.
  void Recovered(LiveSet* live_set) {
    disk_.WriteFile(Path(1), SegmentBytes(found_.manifest.uuid, 1).AddPut(1, "k", "v").bytes());
    disk_.WriteFile(Path(2), std::string(4096, '\0'));
    absl::StatusOr<RecoveredLog> log = Recover(directory_.get(), found_.manifest, false);
    ASSERT_TRUE(log.ok()) << log.status();
    live_set->Begin(*std::move(log), nullptr);
  }
  static std::string Path(uint64_t id) { return std::string(kPath) + "/" + SegmentName(id); }
};

TEST_F(CommitTest, WhatWasFoundIsDurableAndTheRestIsGone) {
  LiveSet live_set(directory_.get());
  Recovered(&live_set);
  bool final = false;
  ASSERT_TRUE(live_set.CommitRecovery(&final).ok());
  CrashFileSystem after(disk_.Cut(KeepPolicy::DropUnsynced()));
  EXPECT_EQ(after.Contents(kPath).count(SegmentName(2)), 0u);
  auto directory = after.OpenDirectory(kPath);
  const auto manifest = ReadManifest(directory->get());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_FALSE(manifest->manifest.clean);
  const auto again = Recover(directory->get(), manifest->manifest, false);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->last_sequence, 1u);
  EXPECT_TRUE(again->segments[0].listed_sealed);
}

TEST_F(CommitTest, EachCallMayFailAndARepetitionSucceedsUnlessItProvesNothing) {
  uint64_t finals = 0;
  for (uint64_t n = 1;; ++n) {
    CrashFileSystem disk;
    FaultFileSystem faults(&disk);
    auto directory = faults.OpenDirectory(kPath);
    disk.WriteFile(Path(1), SegmentBytes(found_.manifest.uuid, 1).AddPut(1, "k", "v").bytes());
    disk.WriteFile(Path(2), std::string(4096, '\0'));
    LiveSet live_set(directory->get());
    live_set.Begin(*Recover(directory->get(), found_.manifest, false), nullptr);
    std::string failed;
    FaultPlan plan;
    plan.call = n;
    plan.on_fault = [&](const Call& call) { failed = CallKindName(call.kind); };
    faults.SetPlan(plan);
    bool final = false;
    const absl::Status status = live_set.CommitRecovery(&final);
    const bool was_failed = faults.SetPlan({}).faults != 0;
    if (!was_failed) break;
    const bool syncs =
        failed == CallKindName(CallKind::kSync) || failed == CallKindName(CallKind::kSyncDirectory);
    if (status.ok()) continue;  // what failed did not matter
    EXPECT_TRUE(!syncs || final) << n << " " << failed;
    finals += final;
    if (final) continue;
    EXPECT_TRUE(live_set.CommitRecovery(&final).ok()) << n << " " << failed;
    CrashFileSystem after(disk.Cut(KeepPolicy::DropUnsynced()));
    auto last = after.OpenDirectory(kPath);
    const auto manifest = ReadManifest(last->get());
    ASSERT_TRUE(manifest.ok()) << n << " " << failed;
    EXPECT_EQ(manifest->manifest.durable_sequence, 1u) << n << " " << failed;
  }
  EXPECT_GE(finals, 4u);  // footer, directory, MANIFEST, directory
}

}  // namespace
}  // namespace rumcask
