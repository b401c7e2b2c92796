// Holes about where the log ends after a crash, H2 to H5, and about the sequence numbers given out
// after it, H29.

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

// H2. Later segments are written while the sealing of one segment stalls. After a power cut none of
// their records may be found behind a gap, and until then none of them counts as sealed.
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

// H3. An intact later segment does not prove that earlier records were durable. A gap in unsynced
// writes is a torn tail, and everything behind it is dropped.
TEST_P(HolesTest, H3_ATearInUnsyncedWritesIsNoDamage) {
  Open();
  int written = 0;
  std::vector<CrashImage> before_seal;
  disk_->SetObserver([&](uint64_t, const char* what, const std::string& name, bool after) {
    // Just before the first segment is sealed, its successor exists already.
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

// H3. The same gap before a synced write is damage. Only sync marks show the difference.
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

// H4. A power cut undoes the removal of a dropped segment. Its records had higher sequence numbers
// than anything kept, but the synced write made since then must win.
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

// H5. A power cut commonly leaves a page of zeros with valid records behind it. That is a torn
// tail, whatever bytes the page holds.
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

// H29. Sequence numbers never restart, even if all keys are deleted or all writes are lost.
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
  // The power cut loses these unsynced writes, but their callers have seen the sequence numbers.
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

// H29. The sequence numbers of lost writes are not reused. Otherwise a client's old version could
// match a value that the client has never seen.
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

// H3. The first block of a file is the easiest to lose. If sync marks behind it vouch for its
// records, the loss is damage, and both opening and Verify report it.
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

// Returns how many of the written keys are lost to damage. Checks that all others can be read.
int CountLost(DB* db, int written) {
  int lost = 0;
  for (int i = 0; i < written; ++i) {
    const absl::Status status = db->Get(Key(i)).status();
    EXPECT_TRUE(status.ok() || absl::IsDataLoss(status)) << status;
    if (!status.ok()) ++lost;
  }
  return lost;
}

// No write was synced here, but each sealing adds a sync mark, which vouches for the sealed
// segments. The last mark is in the last segment.
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

// A damaged record in a sealed segment costs only its key, after a clean and after an unclean end.
// The next write does not read again the segments that opening took on trust.
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

// Sequence numbers that were skipped were never given out, so nothing may vouch for them. If the
// first write after them is torn, the log ends below them, which is not damage. That holds for the
// evidence in MANIFEST and for that in the segment's header, which counts if MANIFEST is an older
// one.
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

// H2. A power cut may keep only the last sector of a footer that was never synced. That is not
// damage, and the segment gets a new footer.
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
  db_.reset();
  for (const bool in_filter : {false, true}) {
    StartFrom(image);
    const std::string bytes = Files()["0000000000000001.seg"];
    const absl::string_view magic("rumcaskT");
    ASSERT_EQ(bytes.substr(bytes.size() - kTrailerBytes, magic.size()), std::string(magic));
    const char* const trailer = bytes.data() + bytes.size() - kTrailerBytes;
    const uint64_t table = LoadU64(trailer + 8), table_bytes = LoadU64(trailer + 16);
    disk_->FlipBit(SegmentPath(1), in_filter ? PaddedTo8(table + table_bytes) + 20 : table + 20, 3);
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
}

}  // namespace
}  // namespace rumcask
