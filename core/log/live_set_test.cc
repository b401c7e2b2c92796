#include "core/log/live_set.h"

#include <memory>
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
