// Holes about where the log ends after a crash: H2 to H5, and H29 about the numbers after it.

#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "core/check/verify.h"
#include "core/damage.h"
#include "core/format/format.h"
#include "core/stats.h"
#include "tests/crash/holes_fixture.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

// H2. While the sealing of one segment stalls, later ones are written. Nothing in them may be found
// that has a gap before it, and none of them counts as sealed, which is what a compaction asks.
TEST_P(HolesTest, H2_NothingOvertakesThePrefixWhileASealStalls) {
  options_.background_threads = 1;
  Open();
  Stall stall(disk_.get(), IsSegmentSync);
  int written = 0;
  while (db_->GetStats().segments.size() < 4) Put(Key(written++), std::string(200, 'v'));
  stall.AwaitReached();
  for (const SegmentStats& segment : db_->GetStats().segments) EXPECT_FALSE(segment.sealed);
  EXPECT_EQ(db_->GetStats().durable_version, 0u);
  std::vector<CrashImage> images;
  for (int n = 1; n < written; ++n) images.push_back(disk_->Cut(KeepPolicy::OnlyLatestWrites(n)));
  for (uint64_t seed = 0; seed < 50; ++seed) images.push_back(disk_->Cut(KeepPolicy::Random(seed)));
  stall.Release();
  for (const CrashImage& image : images) {
    StartFrom(image);
    Open();
    EXPECT_LE(PrefixLength(), written);
  }
}

// H3. A whole successor is no evidence that anything before it was durable: a tear in unsynced
// writes is a torn tail, and what follows it is dropped with it...
TEST_P(HolesTest, H3_ATearInUnsyncedWritesIsNoDamage) {
  Open();
  int written = 0;
  std::vector<CrashImage> before_seal;
  disk_->SetObserver([&](uint64_t, const char* what, const std::string& name, bool after) {
    // The moment before the first segment is sealed: its successor is born.
    if (!after && IsSegmentSync(what, name)) {
      before_seal.push_back(disk_->Cut(KeepPolicy::KeepEverything()));
    }
  });
  while (before_seal.empty()) Put(Key(written++), std::string(200, 'v'));
  StartFrom(before_seal[0]);
  ASSERT_TRUE(FileExists(2));
  // The page in the middle of the first segment never reached the disk.
  disk_->Overwrite(SegmentPath(1), 2048, std::string(512, '\0'));
  Open();
  const int kept = PrefixLength();
  EXPECT_GT(kept, 0);
  EXPECT_LT(kept, written - 5);
  EXPECT_GT(db_->GetStats().recovery.dropped_bytes, 500u);
  EXPECT_EQ(db_->GetStats().recovery.dropped_segments, 1u);
}

// ... and the same tear below a synced write is damage, which only marks can tell.
TEST_P(HolesTest, H3_ATearInSyncedWritesIsDamage) {
  Open();
  int written = 0;
  while (db_->GetStats().segments.size() < 2) Put(Key(written++), std::string(200, 'v'));
  Put("synced", "in the second segment", true);
  Put("after", "carries the mark");
  Kill();
  disk_->Overwrite(SegmentPath(1), 2048, std::string(512, '\0'));
  // Without its footer the first segment is judged by its records.
  disk_->TruncateFile(SegmentPath(1), Files()["0000000000000001.seg"].size() - 8);
  const auto files = Files();
  const absl::Status status = TryOpen();
  ASSERT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "0000000000000001.seg")) << status;
  EXPECT_EQ(Files(), files);
}

// H4. A dropped segment whose unlink was undone by the next power cut comes back: its records have
// higher numbers than anything kept, but the synced write made since then must win.
TEST_P(HolesTest, H4_WhatWasDroppedDoesNotComeBackOnTop) {
  Open();
  std::vector<CrashImage> cuts;
  disk_->SetObserver([&](uint64_t, const char* what, const std::string& name, bool after) {
    if (!after && IsSegmentSync(what, name)) {
      cuts.push_back(disk_->Cut(KeepPolicy::KeepEverything()));
    }
  });
  for (int i = 0; cuts.empty(); ++i) Put(Key(i % 8), absl::StrCat(i, std::string(200, 'v')));
  StartFrom(cuts[0]);
  disk_->Overwrite(SegmentPath(1), 1024, std::string(512, '\0'));
  const std::string dropped = Files()["0000000000000002.seg"];
  Open();
  for (int i = 0; i < 8; ++i) Put(Key(i), "written after the drop", i == 7);
  EXPECT_FALSE(disk_->Contents(kPath).count("0000000000000002.seg"));
  CutPower(KeepPolicy::DropUnsynced());
  disk_->WriteFile(SegmentPath(2), dropped);
  Open();
  for (int i = 0; i < 8; ++i) EXPECT_EQ(Get(Key(i)), "written after the drop");
  Put("one more", "write");
  EXPECT_FALSE(FileExists(2)) << "a dead segment is deleted, not kept";
}

// H5. A page of zeros with valid records behind it is the ordinary picture after a power cut.
TEST_P(HolesTest, H5_AnythingMayFollowTheEndOfAPreallocatedSegment) {
  for (const char filler : {'\0', '\xff'}) {
    db_.reset();
    disk_ = std::make_unique<CrashFileSystem>();
    options_.file_system = disk_.get();
    Open();
    for (int i = 0; i < 12; ++i) Put(Key(i), std::string(200, 'v'));
    Kill();
    disk_->Overwrite(SegmentPath(1), 1024, std::string(512, filler));
    Open();
    const int kept = PrefixLength();
    EXPECT_GT(kept, 0);
    EXPECT_LT(kept, 12);
    EXPECT_GT(db_->GetStats().recovery.dropped_bytes, 0u);
  }
}

// H29. Numbers never restart: not when all keys are deleted, not when everything was lost.
TEST_P(HolesTest, H29_NumbersNeverRestart) {
  Open();
  WriteResult result;
  for (int i = 0; i < 20; ++i) Put(Key(i), "v");
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(db_->Delete(Key(i), {}, &result).ok());
  ASSERT_TRUE(db_->Close().ok());
  uint64_t highest = result.version;
  Open();
  ASSERT_TRUE(db_->Put("k", "v", {}, &result).ok());
  EXPECT_GT(result.version, highest);
  // From here on nothing was synced, and the power cut takes all of it. Its numbers have been seen.
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(db_->Put("k", "v", {}, &result).ok());
  for (int round = 0; round < 3; ++round) {
    highest = result.version;
    CutPower(KeepPolicy::DropUnsynced());
    Open();
    EXPECT_FALSE(Has("k"));
    ASSERT_TRUE(db_->Put("k", "v", {}, &result).ok());
    EXPECT_GT(result.version, highest);
  }
}

// H29. The numbers of writes that were lost altogether do not come back either, or somebody's old
// version would match a value that he has never seen.
TEST_P(HolesTest, H29_NumbersOfWhatWasLostAltogetherDoNotComeBack) {
  Open();
  WriteResult result;
  ASSERT_TRUE(db_->Put("a", "1", {}, &result).ok());
  EXPECT_EQ(result.version, 1u) << "a new database begins with 1";
  ASSERT_TRUE(db_->Put("a", "2", {}, &result).ok());
  const uint64_t seen = result.version;
  CutPower(KeepPolicy::DropUnsynced());
  Open();
  EXPECT_FALSE(Has("a"));
  ASSERT_TRUE(db_->Put("a", "another client's", {}, &result).ok());
  ASSERT_TRUE(db_->Put("a", "another client's", {}, &result).ok());
  EXPECT_GT(result.version, seen);
  EXPECT_TRUE(absl::IsAborted(db_->CompareAndPut("a", "lost update", seen)));
}

// H3. The first block of a file is lost most easily. What marks behind it vouch for is damage, and
// whoever looks is told.
TEST_P(HolesTest, H3_AZeroedFirstBlockIsDamage) {
  options_.segment_bytes = uint64_t{1} << 20;
  Open();
  for (int i = 0; i < 100; ++i) Put(Key(i), std::string(200, 'v'), /*sync=*/true);
  Kill();
  disk_->Overwrite(SegmentPath(1), 0, std::string(4096, '\0'));
  const auto files = Files();
  const absl::Status status = TryOpen();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_EQ(Files(), files);
  const auto report = VerifyFiles(kPath, disk_.get());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->clean());
}

// How many of the keys that were written are lost to damage; all others have to be there.
int CountLost(DB* db, int written) {
  int lost = 0;
  for (int i = 0; i < written; ++i) {
    const absl::Status status = db->Get(Key(i)).status();
    EXPECT_TRUE(status.ok() || absl::IsDataLoss(status)) << status;
    if (!status.ok()) ++lost;
  }
  return lost;
}

// Nothing was synced: the marks that sealing calls for vouch for the segments, and the last one is
// in the log's last segment.
TEST_P(HolesTest, ARottenRecordInAnySealedSegmentCostsItsKeyOnly) {
  options_.background_threads = 0;
  for (uint64_t rotten = 1; rotten <= 7; ++rotten) {
    SCOPED_TRACE(rotten);
    db_.reset();
    disk_ = std::make_unique<CrashFileSystem>();
    options_.file_system = disk_.get();
    Open();
    int written = 0;
    while (db_->GetStats().segments.size() < 8) Put(Key(written++), std::string(200, 'v'));
    Put(Key(written++), "v");
    Kill();
    disk_->FlipBit(SegmentPath(static_cast<int>(rotten)),
                   kSegmentHeaderBytes + kRecordHeaderBytes + 50, 2);
    Open();
    Put("another", "value");
    EXPECT_EQ(CountLost(db_.get(), written), 1);
    ASSERT_TRUE(db_->Close().ok());
    Open();
    EXPECT_EQ(Get("another"), "value");
  }
  db_.reset();
}

// A rotten record in a segment that was sealed costs its key, after an unclean end as after a clean
// one, and whoever writes next is not made to read what the opening believed.
TEST_P(HolesTest, ARottenRecordInASealedSegmentCostsItsKeyOnly) {
  for (const bool clean : {true, false}) {
    db_.reset();
    disk_ = std::make_unique<CrashFileSystem>();
    options_.file_system = disk_.get();
    Open();
    int written = 0;
    while (db_->GetStats().segments.size() < 10) {
      Put(Key(written++), std::string(200, 'v'), /*sync=*/true);
    }
    if (clean) {
      ASSERT_TRUE(db_->Close().ok());
    } else {
      Kill();
    }
    disk_->FlipBit(SegmentPath(2), kSegmentHeaderBytes + kRecordHeaderBytes + 50, 2);
    FaultFileSystem counted(disk_.get());
    options_.file_system = &counted;
    FaultPlan reads;
    reads.matches = [](const Call& call) { return call.kind == CallKind::kRead; };
    counted.SetPlan(reads);
    Open();
    const uint64_t opening = counted.call_count();
    counted.SetPlan(reads);
    Put("another", "value", /*sync=*/true);
    EXPECT_LE(counted.call_count(), opening);
    EXPECT_EQ(CountLost(db_.get(), written), 1);
    ASSERT_TRUE(db_->Close().ok());
    options_.file_system = disk_.get();
    Open();
    EXPECT_EQ(Get("another"), "value");
    Put("and", "on");
    db_.reset();
  }
}

// Numbers that were skipped were never given out: nothing may vouch for them. Where the first write
// after them is torn, the log ends below them, and that is no damage - not for MANIFEST, and not
// for the segment's header, which is all that tells if MANIFEST is the one from before.
TEST_P(HolesTest, H29_NobodyVouchesForNumbersThatWereSkipped) {
  Open();
  Put("a", "1", /*sync=*/true);
  Kill();
  const std::string before = Files().at("MANIFEST");
  Open();
  ASSERT_TRUE(db_->Sync().ok());
  WriteResult result;
  ASSERT_TRUE(db_->Put("b", "2", {}, &result).ok());
  ASSERT_GT(result.version, 2u) << "no number was skipped";
  EXPECT_EQ(db_->GetStats().durable_version, 1u);
  Kill();
  const std::string bytes = Files().at("0000000000000002.seg");
  RecordHeader header;
  ASSERT_TRUE(DecodeRecordHeader(bytes.data() + kSegmentHeaderBytes,
                                 bytes.size() - kSegmentHeaderBytes, &header));
  ASSERT_EQ(header.sequence, result.version);
  disk_->Overwrite(SegmentPath(2), kSegmentHeaderBytes, std::string(header.record_bytes(), '\0'));
  const CrashImage torn = disk_->Cut(KeepPolicy::KeepEverything());
  for (const bool older_manifest : {false, true}) {
    StartFrom(torn);
    if (older_manifest) disk_->WriteFile(absl::StrCat(kPath, "/MANIFEST"), before);
    ASSERT_NO_FATAL_FAILURE(Open()) << older_manifest;
    EXPECT_EQ(Get("a"), "1");
    EXPECT_TRUE(absl::IsNotFound(db_->Get("b").status()));
    Put("c", "3", /*sync=*/true);
    Kill();
    ASSERT_NO_FATAL_FAILURE(Open()) << older_manifest;
    EXPECT_EQ(Get("a"), "1");
    EXPECT_EQ(Get("c"), "3");
    EXPECT_EQ(db_->KeyCount(), 2u);
  }
}

// H2. A footer of which the last sector reached the disk and the others did not was never promised:
// it is no damage, and the segment gets another one.
TEST_P(HolesTest, H2_ATornFooterIsNotDamage) {
  Open();
  CrashImage image;
  bool cut = false;
  disk_->SetObserver([&](uint64_t, const char* what, const std::string& name, bool after) {
    if (cut || after || !IsSegmentSync(what, name)) return;
    cut = true;
    image = disk_->Cut(KeepPolicy::KeepEverything());
  });
  int written = 0;
  while (!cut) Put(Key(written++), std::string(200, 'v'));
  StartFrom(image);
  const uint64_t size = Files()["0000000000000001.seg"].size();
  disk_->FlipBit(SegmentPath(1), size - kTrailerBytes - 24, 3);
  auto report = VerifyFiles(kPath, disk_.get());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->clean()) << DamageStatus(report->damages[0]);
  Open();
  EXPECT_GE(PrefixLength(), written - 1);
  Put("another", "value", /*sync=*/true);
  ASSERT_TRUE(db_->Close().ok());
  report = VerifyFiles(kPath, disk_.get());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->clean()) << DamageStatus(report->damages[0]);
}

}  // namespace
}  // namespace rumcask
