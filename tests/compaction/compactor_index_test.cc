// Compaction beside an index on disk and beside segments to come.

#include "tests/compaction/compaction_fixture.h"

namespace rumcask {
namespace {

TEST_F(CompactorTest, A15_AReadOfAnIndexOnDiskIsWaitedFor) {
  PutIndexOnDisk();
  Open();
  PutTen("old");
  PutTen("new");
  // So that the key is in the index and in no buffer.
  Open();
  CompactionReport report;
  index_->SetObserver([&, reader = std::this_thread::get_id()](const char* what) {
    if (std::string_view(what) != "got" || std::this_thread::get_id() != reader ||
        std::exchange(compacted_, true)) {
      return;
    }
    std::thread([&] { report = CompactAll(); }).join();
  });
  EXPECT_EQ(Get("key3"), Value("new", 3));
  index_->SetObserver(nullptr);
  ASSERT_TRUE(compacted_);
  EXPECT_GT(report.waiting_segments, 0u);
  EXPECT_EQ(report.retired_segments, 0u);
  EXPECT_GT(CompactAll().retired_segments, 0u);
  EXPECT_EQ(Get("key3"), Value("new", 3));
  EXPECT_TRUE(db_->BackgroundStatus().ok()) << db_->BackgroundStatus();
}

// Writers look at the index for ranges in which all is deleted.
TEST_F(CompactorTest, AWriterThatScansTheIndexIsWaitedFor) {
  PutIndexOnDisk();
  Open();
  const auto key = [](int i) { return absl::StrCat("key", 10000 + i); };
  for (const char* const what : {"old", "new"}) {
    for (int i = 0; i < 2000; ++i) Put(key(i), what);
  }
  Open();
  CompactionReport report;
  index_->SetObserver([&, writer = std::this_thread::get_id()](const char* what) {
    if (std::string_view(what) != "scanned" || std::this_thread::get_id() != writer ||
        std::exchange(compacted_, true)) {
      return;
    }
    std::thread([&] { report = CompactAll(); }).join();
  });
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(db_->Delete(key(i)).ok());
  index_->SetObserver(nullptr);
  ASSERT_TRUE(compacted_);
  EXPECT_GT(report.waiting_segments, 0u);
  EXPECT_EQ(report.retired_segments, 0u);
  EXPECT_TRUE(db_->BackgroundStatus().ok()) << db_->BackgroundStatus();
}

TEST_F(CompactorTest, A21_ASnapshotKeepsWhatItSees) {
  for (const bool on_disk : {false, true}) {
    if (on_disk) PutIndexOnDisk();
    options_.reindex = true;
    Open();
    PutTen("old");
    auto snapshot = *db_->TakeSnapshot();
    PutTen("new");
    PutTen("newer");
    EXPECT_GT(CompactAll().waiting_segments, 0u);
    ReadOptions at;
    at.snapshot = snapshot.get();
    for (int i = 0; i < 10; ++i) {
      std::string value;
      ASSERT_TRUE(db_->Get(absl::StrCat("key", i), &value, at).ok());
      EXPECT_EQ(value, Value("old", i));
    }
    at.snapshot = nullptr;
    snapshot.reset();
    // The keystore forgets little by little.
    CompactionReport report;
    for (int i = 0; i < 100; ++i) {
      report = CompactAll();
      if (report.waiting_segments == 0) break;
      Put("more", "writes");
    }
    EXPECT_EQ(report.waiting_segments, 0u);
    ExpectSound();
  }
}

TEST_F(CompactorTest, A9_AnIndexThatLagsIsWaitedFor) {
  PutIndexOnDisk();
  Open();
  for (int round = 0; round < 3; ++round) PutTen(absl::StrCat("value", round));
  // The index has what it is given, but a power cut would take it.
  index_->Lag(20);
  CompactionReport report;
  EXPECT_TRUE(absl::IsResourceExhausted(db_->CompactAll(&report)));
  EXPECT_EQ(report.retired_segments, 0u);
  EXPECT_GT(report.waiting_segments, 0u);
  for (uint64_t left = index_->lagging(); left > 0; left = index_->lagging()) {
    (void)db_->CompactAll(&report);
    ASSERT_LT(index_->lagging(), left);
  }
  EXPECT_GT(CompactAll().retired_segments, 0u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Get(absl::StrCat("key", i)), Value("value2", i));
}

// An index that does not tell what a change replaces: only reading a segment tells what is dead.
TEST_F(CompactorTest, WhereLiveBytesAreABoundSegmentsAreRead) {
  options_.keystore = index_->Keystore("adversarial", /*reports_replaced=*/false);
  Open();
  PutTen("value");
  ASSERT_TRUE(db_->Sync().ok());
  for (int i = 0; i < 4; ++i) Put("other", Value("other", i));
  EXPECT_FALSE(db_->GetStats().live_bytes_exact);
  // Segments that have nothing dead stay as they are.
  EXPECT_LT(CompactAll().copied_records, 5u);
  PutTen("new");
  EXPECT_GE(CompactAll().retired_segments, 2u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Get(absl::StrCat("key", i)), Value("new", i));
}

// What is live is counted beside writers. Those records that they write before the count's snapshot
// are a part of it, also in segments that they begin; later ones count as live.
TEST_F(CompactorTest, WhatIsWrittenWhileLiveBytesAreCounted) {
  // Of what a buffer still has it is known that it was replaced, so buffers go at once.
  options_.replay_bytes = 1;
  const uint64_t record = RecordBytes(4, Value("value", 0).size());
  for (const bool begins_a_segment : {true, false}) {
    SCOPED_TRACE(begins_a_segment);
    path_ = begins_a_segment ? "/crash/begins" : "/crash/continues";
    index_ = AdversarialDisk::Make();
    options_.keystore = index_->Keystore("adversarial", /*reports_replaced=*/false);
    Open();
    for (int round = 0; round < 3; ++round) PutTen("value");
    // The next opening goes on in the last segment, and nothing is written to it yet.
    Put("tiny", "");
    Open();
    if (begins_a_segment) Put("tiny", "");
    uint64_t live = 10 * record + RecordBytes(4, 0);
    bool listed = false;
    bool counting = false;
    DbTestPeer::CompactorOf(db_.get())->SetStepHook([&](std::string_view step) {
      if (step == "listed" && begins_a_segment && !std::exchange(listed, true)) {
        const size_t segments = Segments();
        for (int round = 0; round < 3; ++round) PutTen("value");
        ASSERT_GT(Segments(), segments);
      }
      if (step == "counting" && !std::exchange(counting, true)) {
        Put("last", Value("value", 0));
        live += record;
      }
    });
    ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->CountLive(/*ordered=*/true).ok());
    ASSERT_TRUE(counting);
    EXPECT_EQ(db_->GetStats().live_bytes, live);
  }
}

// What was found dead stays so at the next opening, which need not walk over the whole index.
TEST_F(CompactorTest, WhatWasCountedIsKnownToTheNextOpening) {
  options_.keystore = index_->Keystore("adversarial", /*reports_replaced=*/false);
  Open();
  PutTen("value");
  // What a buffer still has, it knows to be replaced.
  ASSERT_TRUE(db_->Close().ok());
  Open();
  PutTen("new");
  ASSERT_TRUE(db_->Sync().ok());
  const uint64_t all = db_->GetStats().live_bytes;
  CompactionReport report;
  ASSERT_TRUE(db_->CompactSome(0, &report).ok());
  EXPECT_EQ(report.retired_segments, 0u);
  const Stats counted = db_->GetStats();
  EXPECT_LT(counted.live_bytes, all * 2 / 3);
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(db_->Close().ok());
    Open();
    const Stats stats = db_->GetStats();
    ASSERT_FALSE(stats.live_bytes_exact);
    // But for what is not sealed.
    EXPECT_LT(stats.live_bytes, all * 2 / 3);
    for (size_t i = 0; i + 1 < counted.segments.size(); ++i) {
      EXPECT_EQ(stats.segments[i].live_bytes, counted.segments[i].live_bytes) << i;
    }
  }
  // What is written from now on counts as live, and is dead when it was counted again.
  PutTen("newest");
  ASSERT_TRUE(db_->Close().ok());
  Open();
  EXPECT_GT(db_->GetStats().live_bytes, counted.live_bytes);
  EXPECT_GE(CompactAll().retired_segments, 2u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Get(absl::StrCat("key", i)), Value("newest", i));
}

// The newest record that the index was given is moved, and its segment retired. The index must not
// be thought to be that of another log.
TEST_F(CompactorTest, A7_ThePositionOfAnIndexNamesWhatStays) {
  PutIndexOnDisk();
  Open();
  PutTen("value");
  for (int i = 0; i < 2; ++i) Put("twice", Value("twice", i));
  // Fills the active segment to the last record that fits, so that the fence begins the next one.
  FillActive(2 * kRecordHeaderBytes);
  const uint64_t id = db_->GetStats().segments.back().id;
  for (int i = 0; i < 3; ++i) CompactAll();
  EXPECT_EQ(disk_.Contents(kPath).count(SegmentName(id)), 0u);
  ASSERT_TRUE(db_->Close().ok());
  Open();
  EXPECT_EQ(db_->GetStats().index_rebuilt, "");
  EXPECT_EQ(Get("twice"), Value("twice", 1));
}

// The next segment is prepared, or just being prepared, while a compaction writes MANIFEST. Its id
// is among those that MANIFEST speaks for, so it must be listed, or what it takes later is lost.
class PreparedTest : public CompactorTest {
 protected:
  // Fills half of a segment behind dead ones, so that the next one is prepared.
  void Begin() {
    options_.background_threads = 2;
    Open();
    PutTen("dead");
    PutTen("live");
    const size_t segments = Segments();
    while (Segments() == segments) Put("filler", Value("filler", 0));
    ASSERT_TRUE(db_->Sync().ok());  // the others are sealed
    blocks_ = true;
    Put("filler", Value("filler", 1));
    Put("filler", Value("filler", 2));
  }
  // Whether the hook of a test does what it does.
  std::atomic<bool> blocks_{false};

  size_t SegmentFiles() const {
    size_t files = 0;
    for (const auto& [name, bytes] : disk_.Contents(kPath)) {
      if (absl::EndsWith(name, ".seg")) ++files;
    }
    return files;
  }
  static void Nap() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }
  // Writes on into the prepared segment, dies, and looks what is left.
  void WriteOnAndDie() {
    for (int i = 0; i < 8; ++i) Put(absl::StrCat("after", i), Value("after", i));
    CrashFileSystem after(disk_.Cut(KeepPolicy::KeepEverything()));
    Options options = options_;
    options.file_system = &after;
    auto db = DB::Open(kPath, options);
    ASSERT_TRUE(db.ok()) << db.status();
    for (int i = 0; i < 8; ++i) {
      std::string value;
      const absl::Status status = (*db)->Get(absl::StrCat("after", i), &value);
      ASSERT_TRUE(status.ok()) << i << ": " << status;
      EXPECT_EQ(value, Value("after", i));
    }
  }
};

TEST_F(PreparedTest, A33_H14_APreparedSegmentIsListed) {
  Begin();
  while (SegmentFiles() == Segments()) Nap();
  EXPECT_GT(CompactAll().retired_segments, 0u);
  WriteOnAndDie();
}

TEST_F(PreparedTest, A33_H14_ASegmentThatIsBeingPreparedIsListed) {
  std::atomic<bool> begun{false};
  std::atomic<bool> compacted{false};
  faults_.SetHook([&, writer = std::this_thread::get_id()](const Call& call) {
    if (call.kind != CallKind::kOpen || !absl::EndsWith(call.name, ".seg") ||
        std::this_thread::get_id() == writer || !blocks_) {
      return;
    }
    begun.store(true);
    while (!compacted.load()) Nap();
  });
  Begin();
  while (!begun.load()) Nap();
  blocks_ = false;
  EXPECT_GT(CompactAll().retired_segments, 0u);
  compacted.store(true);
  while (SegmentFiles() == Segments()) Nap();
  faults_.SetHook(nullptr);
  WriteOnAndDie();
}

}  // namespace
}  // namespace rumcask
