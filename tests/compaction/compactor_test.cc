// What retiring waits for, and what compaction keeps.

#include "tests/compaction/compaction_fixture.h"

namespace rumcask {
namespace {

TEST_F(CompactorTest, WhatIsDeadGivesItsSpaceBack) {
  Open();
  for (int round = 0; round < 5; ++round) PutTen(absl::StrCat("round", round, "/"));
  const size_t before = Segments();
  const CompactionReport report = CompactAll();
  EXPECT_GE(report.retired_segments, 8u);
  EXPECT_EQ(report.waiting_segments, 0u);
  EXPECT_LE(Segments(), before - report.retired_segments + 3);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Get(absl::StrCat("key", i)), Value("round4/", i));
  ExpectSound();
  // Of the files nothing is left either.
  EXPECT_LE(disk_.Contents(kPath).size(), Segments() + 3);
  // There is nothing to gain any more.
  EXPECT_EQ(CompactAll().retired_segments, 0u);
  Open();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Get(absl::StrCat("key", i)), Value("round4/", i));
}

TEST_F(CompactorTest, OfEverythingDeletedTheActiveSegmentIsLeft) {
  Open();
  for (int round = 0; round < 3; ++round) PutTen("value");
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(db_->Delete(absl::StrCat("key", i)).ok());
  // The deletes' own segment is sealed.
  for (int i = 0; i < 4; ++i) Put("last", Value("last", i));
  CompactAll();
  // What was kept of the deletes, because of segments that went with them.
  CompactAll();
  EXPECT_LE(Segments(), 3u);
  Open();
  EXPECT_EQ(db_->KeyCount(), 1u);
}

TEST_F(CompactorTest, A13_AReadIsWaitedFor) {
  Open();
  PutTen("old");
  PutTen("new");
  PutTen("newer");
  CompactionReport report;
  CompactWhenASegmentIsRead(&report);
  EXPECT_EQ(Get("key3"), Value("newer", 3));
  faults_.SetHook(nullptr);
  ASSERT_TRUE(compacted_);
  EXPECT_GT(report.waiting_segments, 0u);
  EXPECT_EQ(report.retired_segments, 0u);
  EXPECT_GT(CompactAll().retired_segments, 0u);
  EXPECT_EQ(Get("key3"), Value("newer", 3));
}

TEST_F(CompactorTest, A20_AConditionIsWaitedFor) {
  Open();
  PutTen("old");
  PutTen("new");
  CompactionReport report;
  CompactWhenASegmentIsRead(&report);
  EXPECT_TRUE(absl::IsAborted(db_->CompareAndPut("key3", "no", 1)));
  faults_.SetHook(nullptr);
  ASSERT_TRUE(compacted_);
  EXPECT_GT(report.waiting_segments, 0u);
  EXPECT_EQ(report.retired_segments, 0u);
  EXPECT_EQ(Get("key3"), Value("new", 3));
}

TEST_F(CompactorTest, ARequirementIsWaitedFor) {
  Open();
  PutTen("old");
  PutTen("new");
  CompactionReport report;
  CompactWhenASegmentIsRead(&report);
  WriteBatch batch;
  batch.Require("key3", 1);
  batch.Put("key3", "no");
  EXPECT_TRUE(absl::IsAborted(db_->Write(batch)));
  faults_.SetHook(nullptr);
  ASSERT_TRUE(compacted_);
  EXPECT_GT(report.waiting_segments, 0u);
  EXPECT_EQ(report.retired_segments, 0u);
  EXPECT_EQ(Get("key3"), Value("new", 3));
}

TEST_F(CompactorTest, APinnedValueKeepsItsSegment) {
  options_.read_mode = ReadMode::kMapped;
  Open();
  PutTen("old");
  PinnedValue pinned;
  ASSERT_TRUE(db_->Get("key0", &pinned).ok());
  ASSERT_TRUE(pinned.pinned());
  PutTen("new");
  const CompactionReport report = CompactAll();
  EXPECT_EQ(report.waiting_segments, 1u);
  EXPECT_GT(report.waiting_bytes, 0u);
  EXPECT_GT(report.retired_segments, 0u);
  EXPECT_EQ(pinned.value(), Value("old", 0));
  EXPECT_EQ(CompactAll().waiting_segments, 1u);
  pinned.Clear();
  EXPECT_EQ(CompactAll().waiting_segments, 0u);
  EXPECT_EQ(Get("key0"), Value("new", 0));
}

TEST_F(CompactorTest, AnIteratorGoesOn) {
  for (const bool keys_only : {false, true}) {
    Open();
    PutTen("dead");
    PutTen("live");
    IteratorOptions options;
    options.keys_only = keys_only;
    auto it = *db_->NewIterator(options);
    std::map<std::string, std::string> found;
    found.emplace(it->key(), it->value());
    // Nothing keeps the segments that the iterator's locations were in.
    const CompactionReport report = CompactAll();
    EXPECT_GT(report.retired_segments, 0u);
    EXPECT_EQ(report.waiting_segments, 0u);
    // The record that the iterator stands on is still there.
    EXPECT_EQ(found.count(std::string(it->key())), 1u);
    EXPECT_EQ(found[std::string(it->key())], it->value());
    for (it->Next(); it->Valid(); it->Next()) found.emplace(it->key(), it->value());
    EXPECT_TRUE(it->status().ok()) << it->status();
    EXPECT_EQ(found.size(), 10u);
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(found[absl::StrCat("key", i)], keys_only ? "" : Value("live", i));
    }
    it.reset();
  }
}

// The keys of one block, of which the iterator has used the first when they are moved.
TEST_F(CompactorTest, A17_AnIteratorOverManyKeysGoesOn) {
  for (const KeystoreFactory& keystore : {HashKeystore(), FlatKeystore(), BtreeKeystore()}) {
    options_.keystore = keystore;
    options_.segment_bytes = 1 << 16;
    Open();
    // Some seven keys in each shard of hash and flat.
    constexpr int kKeys = 30000;
    for (const char* const what : {"dead", "live"}) {
      for (int i = 0; i < kKeys; ++i) Put(absl::StrCat("key", i), absl::StrCat(what, i));
    }
    // Of each segment one record more is dead, so that what the iterator holds is moved.
    for (int i = 0; i < kKeys; i += 100) Put(absl::StrCat("key", i), absl::StrCat("live", i));
    auto it = *db_->NewIterator();
    const CompactionReport report = CompactAll();
    EXPECT_GT(report.retired_segments, 10u);
    EXPECT_EQ(report.waiting_segments, 0u);
    int count = 0;
    for (; it->Valid(); it->Next(), ++count) {
      ASSERT_EQ(it->value(), absl::StrCat("live", std::string(it->key().substr(3))));
    }
    EXPECT_TRUE(it->status().ok()) << it->status();
    EXPECT_EQ(count, kKeys);
    it.reset();
  }
}

// Compaction looks into iterators while they are made and destroyed. Of most use with a sanitizer.
TEST_F(CompactorTest, AnIteratorIsWholeWhenCompactionFindsIt) {
  for (const KeystoreFactory& keystore : {HashKeystore(), BtreeKeystore()}) {
    options_.keystore = keystore;
    Open();
    PutTen("value");
    std::atomic<bool> ends{false};
    std::thread compaction([&] {
      HeldLocations* const held = DbTestPeer::HeldOf(db_.get());
      while (!ends) held->Replace([](Location location) { return location; });
    });
    for (int i = 0; i < 20000; ++i) {
      auto it = db_->NewIterator();
      ASSERT_TRUE(it.ok() && (*it)->Valid());
    }
    ends = true;
    compaction.join();
  }
}

// Records are overwritten after they were copied and before they could be moved. What the snapshot
// of an iterator sees stays where it was, and the copies, which nobody needs, go.
TEST_F(CompactorTest, AnIteratorIsNotLedToCopiesThatLost) {
  // One segment has most keys, so that one job copies what the iterator holds.
  options_.segment_bytes = 1 << 20;
  Open();
  constexpr int kKeys = 30000;
  for (const char* const what : {"dead", "live"}) {
    for (int i = 0; i < kKeys; ++i) Put(absl::StrCat("key", i), absl::StrCat(what, i));
  }
  // Of each segment one record more is dead, so that all are compacted.
  for (int i = 0; i < kKeys; i += 100) Put(absl::StrCat("key", i), absl::StrCat("live", i));
  auto it = *db_->NewIterator();
  bool overwritten = false;
  DbTestPeer::CompactorOf(db_.get())->SetStepHook([&](std::string_view step) {
    if (step != "slice" || std::exchange(overwritten, true)) return;
    for (int i = 0; i < kKeys; ++i) Put(absl::StrCat("key", i), absl::StrCat("new", i));
  });
  EXPECT_GT(CompactAll().copied_records, 0u);
  DbTestPeer::CompactorOf(db_.get())->SetStepHook(nullptr);
  EXPECT_GT(CompactAll().retired_segments, 0u);
  int count = 0;
  for (; it->Valid(); it->Next(), ++count) {
    ASSERT_EQ(it->value(), absl::StrCat("live", std::string(it->key().substr(3))));
  }
  EXPECT_TRUE(it->status().ok()) << it->status();
  EXPECT_EQ(count, kKeys);
}

// The fence begins a new segment, so that the one before is sealed during the compaction.
TEST_F(CompactorTest, AListenerMayCompact) {
  Open();
  PutTen("old");
  PutTen("new");
  FillActive();
  int calls = 0;
  notes_->on_sealed = [&] {
    if (++calls > 10) return;
    EXPECT_TRUE(db_->CompactAll().ok());
  };
  EXPECT_GT(CompactAll().retired_segments, 0u);
  EXPECT_GT(calls, 0);
  notes_->on_sealed = nullptr;
}

TEST_F(CompactorTest, CloseDoesNotWaitForVerify) {
  Open();
  PutTen("value");
  bool closed = false;
  faults_.SetHook([&, verifier = std::this_thread::get_id()](const Call& call) {
    if (call.kind != CallKind::kRead || !absl::EndsWith(call.name, ".seg") ||
        std::this_thread::get_id() != verifier || std::exchange(closed, true)) {
      return;
    }
    std::thread([&] {
      EXPECT_TRUE(db_->Close().ok());
      EXPECT_TRUE(absl::IsFailedPrecondition(db_->CompactAll()));
    }).join();
  });
  (void)db_->Verify();
  faults_.SetHook(nullptr);
  EXPECT_TRUE(closed);
}

TEST_F(CompactorTest, A28_WhatADamagedSegmentHasElseIsMoved) {
  Open();
  PutTen("dead");
  PutTen("live");
  PutTen("dead");
  for (int i = 0; i < 9; ++i) Put(absl::StrCat("key", i), Value("final", i));
  Put("last", Value("last", 0));
  // Damages the value of key9, whose other versions are dead.
  const std::string value = Value("dead", 9);
  uint64_t newest = 0;
  for (const SegmentStats& segment : db_->GetStats().segments) {
    const std::string bytes = disk_.Contents(kPath)[SegmentName(segment.id)];
    if (bytes.find(value) != std::string::npos) newest = segment.id;
  }
  ASSERT_NE(newest, 0u);
  {
    auto directory = *disk_.OpenDirectory(kPath);
    auto file = *directory->Open(SegmentName(newest), OpenMode::kReadWrite);
    const uint64_t at = disk_.Contents(kPath)[SegmentName(newest)].rfind(value);
    ASSERT_TRUE(file->Write(at + 20, "X").ok());
  }
  notes_->messages.clear();
  const CompactionReport report = CompactAll();
  EXPECT_GT(report.retired_segments, 0u);
  ASSERT_EQ(notes_->messages.size(), 1u);
  EXPECT_TRUE(absl::StrContains(notes_->messages[0], SegmentName(newest)));
  // The damage is told, and not given a checksum that fits.
  std::string found;
  EXPECT_TRUE(absl::IsDataLoss(db_->Get("key9", &found)));
  for (int i = 0; i < 9; ++i) EXPECT_EQ(Get(absl::StrCat("key", i)), Value("final", i));
  Open();
  EXPECT_TRUE(absl::IsDataLoss(db_->Get("key9", &found)));
  // Once the key is written again, the segment goes.
  Put("key9", "new");
  for (int i = 0; i < 4; ++i) Put("last", Value("last", i));
  CompactAll();
  EXPECT_EQ(disk_.Contents(kPath).count(SegmentName(newest)), 0u);
  EXPECT_EQ(Get("key9"), "new");
  ExpectSound();
}

TEST_F(CompactorTest, A25_H16_ATombstoneStaysWhileAnOlderRecordIsThere) {
  options_.read_mode = ReadMode::kMapped;
  Open();
  Put("deleted", Value("old", 0));
  for (int i = 0; i < 4; ++i) Put(absl::StrCat("other", i), Value("other", i));
  // The record of the deleted key stays, whatever is compacted.
  PinnedValue pinned;
  ASSERT_TRUE(db_->Get("deleted", &pinned).ok());
  ASSERT_TRUE(pinned.pinned());
  ASSERT_TRUE(db_->Delete("deleted").ok());
  for (int i = 0; i < 8; ++i) Put("filler", Value("filler", i));
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(CompactAll().waiting_segments, 1u);
    for (int i = 0; i < 8; ++i) Put("filler", Value("filler", i));
  }
  // What a crash now leaves is read without what the index in memory knew.
  CrashFileSystem after(disk_.Cut(KeepPolicy::KeepEverything()));
  Options options = options_;
  options.file_system = &after;
  auto db = DB::Open(kPath, options);
  ASSERT_TRUE(db.ok()) << db.status();
  std::string value;
  EXPECT_TRUE(absl::IsNotFound((*db)->Get("deleted", &value)));
}

TEST_F(CompactorTest, NotWhileTheThreadReads) {
  Open();
  PutTen("value");
  {
    const ReaderScope reading;
    EXPECT_TRUE(absl::IsFailedPrecondition(db_->CompactAll()));
  }
  EXPECT_TRUE(db_->CompactAll().ok());
}

TEST_F(CompactorTest, NotReadOnlyAndNotAfterClose) {
  Open();
  PutTen("value");
  ASSERT_TRUE(db_->Close().ok());
  CompactionReport report;
  report.retired_segments = 7;
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->CompactAll(&report)));
  EXPECT_EQ(report.retired_segments, 0u);
  auto read_only = DB::OpenReadOnly(kPath, options_);
  ASSERT_TRUE(read_only.ok()) << read_only.status();
  EXPECT_TRUE(absl::IsFailedPrecondition((*read_only)->CompactSome(1)));
}

TEST_F(CompactorTest, SomeMeansNoMoreThanIsAskedFor) {
  Open();
  for (int round = 0; round < 20; ++round) PutTen("value");
  const size_t before = Segments();
  CompactionReport report;
  ASSERT_TRUE(db_->CompactSome(1, &report).ok());
  EXPECT_GT(report.retired_segments, 0u);
  // One job.
  EXPECT_LE(report.retired_segments, 16u);
  EXPECT_GT(before, 40u);
}

}  // namespace
}  // namespace rumcask
