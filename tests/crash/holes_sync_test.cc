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

// H12. What MANIFEST vouches for in a segment without footer or successor is not taken for a torn
// tail when it is damaged.
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

// H13. The same after the clean close was followed by another opening: what the MANIFEST of the
// clean close had vouched for is vouched for still.
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

// A mark that lies beyond a tear proves that the tear is damage.
TEST_P(HolesTest, H13_AMarkBeyondATearIsEvidence) {
  Open();
  for (int i = 0; i < 4; ++i) Put(Key(i), std::string(200, 'v'));
  Put("synced", "value", true);
  Put("carries", "the mark");
  Kill();
  disk_->FlipBit(SegmentPath(1), 500, 1);
  EXPECT_TRUE(absl::IsDataLoss(TryOpen()));
}

// What a killed process wrote, whoever closes the database next makes durable, though it has
// written nothing itself.
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

// Without one, damage in the last group cannot be told from a torn tail; its bytes are counted.
TEST_P(HolesTest, H13_DamageInTheLastGroupIsATornTailAndCounted) {
  Open();
  for (int i = 0; i < 4; ++i) Put(Key(i), std::string(200, 'v'));
  Kill();
  disk_->FlipBit(SegmentPath(1), 700, 1);
  Open();
  EXPECT_EQ(PrefixLength(), 2);
  EXPECT_GT(db_->GetStats().recovery.dropped_bytes, 2 * 200u);
}

// Marks are written with the next append, once for a group, never alone.
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

// What sealing makes durable, of which GetStats and synced writers are told, has evidence in the
// log from the next append on, once.
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

// Whatever of a clean close reaches the disk, MANIFEST lists nothing that is not there.
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

// What is written while a group's fdatasync runs is not part of the group: it waits for its own.
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

// After a failed fdatasync the kernel takes the pages for clean: a second one would succeed without
// having written them. So the first is final.
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

// The same while what an unclean end left is made durable, before the first write: whatever sync of
// it fails, no later write is acknowledged.
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
  // The segments that nothing vouches for, the directory, MANIFEST and the directory again.
  EXPECT_GE(syncs, 4);
}

// A full disk met there is not: it comes before any sync of what is written, and passes.
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
