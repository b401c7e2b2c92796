// Damage and failed calls that a compaction meets at an exact step.

#include "tests/compaction/sequence_fixture.h"

namespace rumcask {
namespace {

INSTANTIATE_TEST_SUITE_P(Keystores, SequenceTest, testing::ValuesIn(SequenceKeystores()),
                         SequenceName);

// Nobody knows which keys a segment has whose key table is damaged, so it stays as it is.
TEST_P(SequenceTest, A28_ASegmentWithoutAKeyTableStays) {
  Open();
  PutTen("old");
  PutTen("new");
  Roll();
  ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
  const Content content = ContentOf(db_.get());
  const uint64_t damaged = SegmentWith(Value("old", 9));
  const std::string name = SegmentName(damaged);
  const uint64_t size = disk_.Contents(path_)[name].size();
  disk_.FlipBit(PathOf(name), size - 20, 2);
  notes_->messages.clear();
  EXPECT_GT(CompactAll().retired_segments, 0u);
  ASSERT_EQ(notes_->messages.size(), 1u);
  EXPECT_TRUE(absl::StrContains(notes_->messages[0], name)) << notes_->messages[0];
  EXPECT_EQ(SegmentIds().count(damaged), 1u);
  EXPECT_GT(db_->GetStats().damaged_bytes, 0u);
  EXPECT_EQ(ContentOf(db_.get()), content);
  Open();
  EXPECT_EQ(ContentOf(db_.get()), content);
}

// A damaged record that is dead goes with its segment.
TEST_P(SequenceTest, A29_ADamagedDeadRecordGoes) {
  Open();
  const Content content = PutTenTwice();
  const std::string dead = Value("old", 9);
  const uint64_t segment = SegmentWith(dead);
  const std::string name = SegmentName(segment);
  const size_t at = disk_.Contents(path_)[name].find(dead);
  disk_.FlipBit(PathOf(name), at + 30, 2);
  CompactAll();
  EXPECT_EQ(FileIds().count(segment), 0u);
  EXPECT_EQ(db_->GetStats().damaged_bytes, 0u);
  ExpectContent(db_.get(), content);
}

// The records of a victim are damaged on the device when the first of them was read. What was
// verified is what is written: a second look would give the damage a checksum that fits.
TEST_P(SequenceTest, A30_WhatIsCopiedIsWhatWasVerified) {
  Open();
  const Content content = PutTenTwice();
  std::set<std::string> victims;
  for (const uint64_t id : SegmentIds()) victims.insert(SegmentName(id));
  std::string read;
  AtStep("copy", [&] {
    faults_.SetHook([&](const Call& call) {
      const std::string name = call.name.substr(call.name.rfind('/') + 1);
      if (victims.erase(read) > 0) {
        const std::string bytes = disk_.Contents(path_)[read];
        for (size_t at = bytes.find("new"); at != std::string::npos;
             at = bytes.find("new", at + 1)) {
          disk_.FlipBit(PathOf(read), at + 100, 2);
        }
      }
      read = call.kind == CallKind::kRead ? name : "";
    });
  });
  EXPECT_GT(CompactAll().copied_records, 0u);
  faults_.SetHook(nullptr);
  int sound = 0;
  for (const auto& [key, value] : content) {
    std::string found;
    const absl::Status status = db_->Get(key, &found);
    EXPECT_TRUE(status.ok() ? found == value : absl::IsDataLoss(status)) << key << ": " << status;
    sound += status.ok();
  }
  EXPECT_GT(sound, 0);
  EXPECT_LT(sound, 10);
}

// MANIFEST cannot be replaced when survivors are adopted or victims retired. The job ends, nothing
// is lost and no file is left over; what failed is tried again, but for a failed sync.
TEST_P(SequenceTest, A32_AFailedChangeOfManifestEndsTheJob) {
  for (const char* const step : {"adopt", "retire"}) {
    for (const CallKind kind :
         {CallKind::kOpen, CallKind::kWrite, CallKind::kRename, CallKind::kSync}) {
      for (const Fault fault : {Fault::kEio, Fault::kEnospc}) {
        SCOPED_TRACE(absl::StrCat(step, " ", CallKindName(kind), " ", FaultName(fault)));
        BeginAnew();
        const Content content = PutTenTwice();
        const std::set<uint64_t> before = SegmentIds();
        AtStep(step, [&] {
          FaultPlan plan;
          plan.call = 1;
          plan.fault = fault;
          plan.matches = [kind](const Call& call) {
            return call.kind == kind && absl::StrContains(call.name, "MANIFEST");
          };
          faults_.SetPlan(plan);
        });
        CompactionReport report;
        const absl::Status status = db_->CompactAll(&report);
        EXPECT_EQ(faults_.SetPlan({}).faults, 1u);
        EXPECT_FALSE(status.ok());
        EXPECT_EQ(report.retired_segments, 0u);
        for (const uint64_t id : before) EXPECT_EQ(FileIds().count(id), 1u) << id;
        EXPECT_EQ(ContentOf(db_.get()), content);
        const bool final = kind == CallKind::kSync;
        EXPECT_EQ(db_->BackgroundStatus().ok(), !final) << db_->BackgroundStatus();
        for (const CrashPoint& crash : Crashes("after the failure")) ExpectSurvives(crash, content);
        if (final) continue;
        EXPECT_EQ(FileIds(), SegmentIds());
        EXPECT_GT(CompactAll().retired_segments, 0u);
        ExpectContent(db_.get(), content);
      }
    }
  }
}

// A record that takes many segments' worth is moved into a survivor of its own size.
TEST_P(SequenceTest, A42_ARecordLargerThanASegmentIsMoved) {
  options_.segment_bytes = uint64_t{4} << 20;
  Open();
  const std::string large(1500000, 'l');
  for (int i = 0; i < 2; ++i) Put("dead", std::string(5000, 'd'));
  Put("large", large);
  for (int i = 0; i < 2; ++i) Put("last", Value("last", i));
  const uint64_t segment = SegmentWith(large);
  ASSERT_TRUE(db_->Close().ok());
  options_.segment_bytes = kMinSegmentBytes;
  Open();
  const Content content = ContentOf(db_.get());
  EXPECT_GE(CompactAll().written_bytes, large.size());
  EXPECT_EQ(FileIds().count(segment), 0u);
  ExpectContent(db_.get(), content);
  for (const CrashPoint& crash : Crashes("a large record")) ExpectSurvives(crash, content);
}

// Survivors hold all that is left of a record, so damage in one is never taken for a torn tail,
// though the process has been killed since. It is named, and no older record comes back.
TEST_P(SequenceTest, H12_H14_ADamagedSurvivorIsNoTornTail) {
  Open();
  PutTen("old");
  PutTen("new");
  ASSERT_TRUE(db_->Sync().ok());
  ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
  const std::set<uint64_t> before = SegmentIds();
  EXPECT_GT(CompactAll().retired_segments, 0u);
  uint64_t survivor = 0;
  for (const uint64_t id : SegmentIds()) {
    if (before.count(id) == 0 && survivor == 0) survivor = id;
  }
  const std::string name = SegmentName(survivor);
  const std::string path = PathOf(name);
  const std::string bytes = disk_.Contents(path_)[name];
  const size_t record = bytes.find("new");
  ASSERT_NE(record, std::string::npos);
  const std::string key = absl::StrCat("key", bytes.substr(record + 3, 1));
  const auto damaged = [&](const auto& damage) {
    CrashPoint crash = Crash(KeepPolicy::KeepEverything(), IndexFate::kEmpty);
    CrashFileSystem files(crash.files);
    damage(&files);
    crash.files = files.Cut(KeepPolicy::KeepEverything());
    return crash;
  };
  // With its key table the key is known.
  const CrashPoint rotten = damaged([&](auto* files) { files->FlipBit(path, record + 50, 4); });
  {
    const Revived revived = Revive(rotten);
    ASSERT_NE(revived.db, nullptr);
    std::string value;
    EXPECT_TRUE(absl::IsDataLoss(revived.db->Get(key, &value)));
    EXPECT_TRUE(revived.db->Put("key", "value").ok());
    EXPECT_TRUE(absl::IsDataLoss(revived.db->Get(key, &value)));
  }
  const CrashPoint refused[] = {
      damaged([&](auto* files) {
        files->FlipBit(path, record + 50, 4);
        files->FlipBit(path, bytes.size() - 20, 4);
      }),
      damaged([&](auto* files) { files->TruncateFile(path, record); }),
      damaged([&](auto* files) { files->RemoveFile(path); }),
  };
  for (const CrashPoint& crash : refused) {
    CrashFileSystem files(crash.files);
    Options options = options_;
    options.file_system = &files;
    options.keystore = KeystoreOn(crash.index);
    const absl::Status status = DB::Open(path_, options).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), name)) << status;
  }
}

}  // namespace
}  // namespace rumcask
