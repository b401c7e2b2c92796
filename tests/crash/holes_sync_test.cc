// Holes about what a sync proves: H12, H13.

#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#include "core/stats.h"
#include "tests/crash/holes_fixture.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

// H12. The last segment has neither footer nor successor, but MANIFEST vouches for its records.
// Damage to them is not taken for a torn tail.
TEST_P(HolesTest, H12_DamageBelowAListedEndIsDamage) {
  Open();
  for (int i = 0; i < 8; ++i) Put(Key(i), std::string(200, 'v'));
  ASSERT_TRUE(db_->Close().ok());
  disk_->FlipBit(SegmentPath(1), 1000, 3);
  const auto files = Files();
  const absl::Status status = TryOpen();
  ASSERT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "0000000000000001.seg")) << status;
  EXPECT_EQ(Files(), files);
}

// H13. The same if another opening followed the clean close: the new MANIFEST still vouches for
// what the old one vouched for.
TEST_P(HolesTest, H13_ContinuingACleanlyClosedSegmentKeepsItsEvidence) {
  Open();
  for (int i = 0; i < 8; ++i) Put(Key(i), std::string(200, 'v'));
  ASSERT_TRUE(db_->Close().ok());
  Open();
  Put("one more", "put");
  Kill();
  disk_->FlipBit(SegmentPath(1), 1000, 3);
  EXPECT_TRUE(absl::IsDataLoss(TryOpen()));
}

// A sync mark behind a gap proves that the gap is damage.
TEST_P(HolesTest, H13_AMarkBeyondATearIsEvidence) {
  Open();
  for (int i = 0; i < 4; ++i) Put(Key(i), std::string(200, 'v'));
  Put("synced", "value", true);
  Put("carries", "the mark");
  Kill();
  disk_->FlipBit(SegmentPath(1), 500, 1);
  EXPECT_TRUE(absl::IsDataLoss(TryOpen()));
}

// Closing the database makes durable what an earlier, killed process wrote, even if the closing
// process has written nothing.
TEST_P(HolesTest, H13_ACloseMakesWhatWasFoundDurable) {
  Open();
  for (int i = 0; i < 30; ++i) Put(Key(i), std::string(200, 'v'));
  Kill();
  Open();
  EXPECT_EQ(PrefixLength(), 30);
  ASSERT_TRUE(db_->Close().ok());
  CutPower(KeepPolicy::DropUnsynced());
  Open();
  EXPECT_EQ(PrefixLength(), 30);
}

// Without a sync mark behind it, damage cannot be told from a torn tail. The dropped bytes are
// counted.
TEST_P(HolesTest, H13_DamageInTheLastGroupIsATornTailAndCounted) {
  Open();
  for (int i = 0; i < 4; ++i) Put(Key(i), std::string(200, 'v'));
  Kill();
  disk_->FlipBit(SegmentPath(1), 700, 1);
  Open();
  EXPECT_EQ(PrefixLength(), 2);
  EXPECT_GT(db_->GetStats().recovery.dropped_bytes, 2 * 200u);
}

// A sync mark is written with the append after a sync, once for each group, and never alone.
TEST_P(HolesTest, H13_SyncingWithoutWritingWritesNoMark) {
  Open();
  Put("k", "v", true);
  const uint64_t records = db_->GetStats().segments[0].records;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(db_->Sync().ok());
  EXPECT_EQ(db_->GetStats().segments[0].records, records);
  Put("k", "w");
  EXPECT_EQ(db_->GetStats().segments[0].records, records + 2);
  Put("k", "x");
  EXPECT_EQ(db_->GetStats().segments[0].records, records + 3);
}

// Sealing makes records durable, which GetStats reports. The next append therefore writes one sync
// mark for them.
TEST_P(HolesTest, H13_WhatSealingMakesDurableIsVouchedFor) {
  Open();
  int written = 0;
  while (db_->GetStats().segments.size() < 2) Put(Key(written++), std::string(200, 'v'));
  const uint64_t durable = db_->GetStats().durable_version;
  ASSERT_EQ(durable, static_cast<uint64_t>(written) - 1);
  EXPECT_EQ(db_->GetStats().segments[1].records, 1u);
  Put("after", "carries the mark");
  EXPECT_EQ(db_->GetStats().segments[1].records, 3u);
  Put("later", "carries none");
  EXPECT_EQ(db_->GetStats().segments[1].records, 4u);
  Kill();
  disk_->Overwrite(SegmentPath(1), 2048, std::string(512, '\0'));
  disk_->TruncateFile(SegmentPath(1), Files()["0000000000000001.seg"].size() - 8);
  const absl::Status status = TryOpen();
  ASSERT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "0000000000000001.seg")) << status;
}

// MANIFEST never lists a missing segment, whatever part of a clean close reaches the disk.
TEST_P(HolesTest, H15_MANIFESTListsNoSegmentWhoseEntryMayVanish) {
  Open();
  for (int i = 0; i < 5; ++i) Put(Key(i), std::string(200, 'v'));
  std::vector<CrashImage> images;
  disk_->SetObserver([&](uint64_t, const char*, const std::string&, bool) {
    for (const KeepPolicy& policy : KeepPolicy::AllFixed()) images.push_back(disk_->Cut(policy));
    for (uint64_t seed = 0; seed < 20; ++seed) {
      images.push_back(disk_->Cut(KeepPolicy::Random(images.size() + seed)));
    }
  });
  ASSERT_TRUE(db_->Close().ok());
  disk_->SetObserver(nullptr);
  ASSERT_GT(images.size(), 100u);
  for (const CrashImage& image : images) {
    StartFrom(image);
    const absl::Status status = TryOpen();
    ASSERT_TRUE(status.ok()) << status;
    (void)PrefixLength();
  }
}

// A write that arrives while a group's fdatasync runs is not part of the group and waits for the
// next fdatasync.
TEST_P(HolesTest, H13_AGroupIsWhatWasThereWhenItsSyncBegan) {
  Open();
  Put("before", "value", true);
  Stall stall(disk_.get(), IsSegmentSync);
  std::thread leader([&] { Put("leader", "value", true); });
  stall.AwaitReached();
  std::thread late([&] { Put("late", "value", true); });
  while (!Has("late")) std::this_thread::yield();
  stall.Release();
  leader.join();
  late.join();
  CutPower(KeepPolicy::DropUnsynced());
  Open();
  EXPECT_TRUE(Has("leader"));
  EXPECT_TRUE(Has("late"));
}

// A failed fdatasync is final. The kernel marks the pages as clean, so a second fdatasync would
// succeed without writing them.
TEST_P(HolesTest, H13_AFailedSyncIsFinal) {
  FaultFileSystem faults(disk_.get());
  options_.file_system = &faults;
  Open();
  Put("durable", "value", true);
  FaultPlan plan;
  plan.call = 1;
  plan.fault = Fault::kEio;
  plan.matches = [](const Call& call) {
    return call.kind == CallKind::kSync && absl::EndsWith(call.name, ".seg");
  };
  plan.on_fault = [this](const Call& call) { disk_->LoseDirty(call.name); };
  faults.SetPlan(plan);
  EXPECT_FALSE(db_->Put("lost", "value", {true}).ok());
  EXPECT_FALSE(db_->BackgroundStatus().ok());
  EXPECT_FALSE(db_->Sync().ok());
  EXPECT_FALSE(db_->Put("later", "value").ok());
  EXPECT_FALSE(db_->Put("later", "value", {true}).ok());
  EXPECT_EQ(Get("durable"), "value");
  CutPower(KeepPolicy::DropUnsynced());
  Open();
  EXPECT_EQ(Get("durable"), "value");
  EXPECT_FALSE(Has("later"));
}

// The same for the syncs with which the first write makes the recovered records durable: if any of
// them fails, no later write is acknowledged.
TEST_P(HolesTest, H13_AFailedSyncOfRecoveryIsFinal) {
  Open();
  for (int i = 0; i < 40; ++i) Put(Key(i), std::string(200, 'v'));
  const CrashImage killed = disk_->Cut(KeepPolicy::KeepEverything());
  int syncs = 0;
  for (uint64_t call = 1;; ++call) {
    SCOPED_TRACE(call);
    StartFrom(killed);
    FaultFileSystem faults(disk_.get());
    options_.file_system = &faults;
    Open();
    FaultPlan plan;
    plan.call = call;
    plan.fault = Fault::kEio;
    plan.matches = [](const Call& c) {
      return c.kind == CallKind::kSync || c.kind == CallKind::kSyncDirectory;
    };
    plan.on_fault = [this](const Call& c) {
      if (c.kind == CallKind::kSync) disk_->LoseDirty(c.name);
    };
    faults.SetPlan(plan);
    const bool put = db_->Put("k", "v").ok();
    if (faults.fault_count() == 0) break;
    ++syncs;
    EXPECT_FALSE(put);
    EXPECT_FALSE(db_->BackgroundStatus().ok());
    EXPECT_FALSE(db_->Put("k", "v", {true}).ok());
    EXPECT_FALSE(db_->Sync().ok());
    EXPECT_EQ(Get(Key(0)), std::string(200, 'v'));
    db_.reset();
  }
  // The syncs of the segments that nothing vouches for, of the directory, of MANIFEST, and of the
  // directory again.
  EXPECT_GE(syncs, 4);
}

// A full disk during recovery is not final: the write fails before any sync, so it can be retried.
TEST_P(HolesTest, H13_AFullDiskWhileRecoveringPasses) {
  Open();
  for (int i = 0; i < 40; ++i) Put(Key(i), std::string(200, 'v'));
  Kill();
  FaultFileSystem faults(disk_.get());
  options_.file_system = &faults;
  Open();
  for (uint64_t call = 1; call < 5; ++call) {
    FaultPlan plan;
    plan.call = call;
    plan.fault = Fault::kEnospc;
    plan.matches = [](const Call& c) { return c.kind == CallKind::kWrite; };
    faults.SetPlan(plan);
    const absl::Status status = db_->Put("k", "v");
    EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
    EXPECT_TRUE(db_->BackgroundStatus().ok()) << db_->BackgroundStatus();
  }
  faults.SetPlan({});
  Put("k", "v", true);
  CutPower(KeepPolicy::DropUnsynced());
  Open();
  EXPECT_EQ(db_->KeyCount(), 41u);
}

}  // namespace
}  // namespace rumcask
