// Readers, snapshots and conditions that meet a compaction at an exact step.

#include "tests/compaction/sequence_fixture.h"

namespace rumcask {
namespace {

INSTANTIATE_TEST_SUITE_P(Keystores, SequenceTest, testing::ValuesIn(SequenceKeystores()),
                         SequenceName);

// A read has looked its record up when a writer replaces it, so that it is not compaction that
// takes the location out of the index. Its segment is waited for all the same.
TEST_P(SequenceTest, A14_AReadOfWhatAWriterReplacesIsWaitedFor) {
  Open();
  PutTen("old");
  Roll();
  const uint64_t segment = SegmentWith(Value("old", 3));
  CompactionReport report;
  faults_.SetHook([&, reader = std::this_thread::get_id()](const Call& call) {
    if (call.kind != CallKind::kRead || !absl::EndsWith(call.name, ".seg") ||
        std::this_thread::get_id() != reader || std::exchange(compacted_, true)) {
      return;
    }
    std::thread([&] {
      PutTen("new");
      EXPECT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
      report = CompactAll();
    }).join();
    EXPECT_EQ(FileIds().count(segment), 1u);
  });
  EXPECT_EQ(Get("key3"), Value("old", 3));
  faults_.SetHook(nullptr);
  ASSERT_TRUE(compacted_);
  EXPECT_GT(report.waiting_segments, 0u);
  EXPECT_EQ(report.retired_segments, 0u);
  EXPECT_GT(CompactAll().retired_segments, 0u);
  EXPECT_EQ(FileIds().count(segment), 0u);
  EXPECT_EQ(Get("key3"), Value("new", 3));
}

// The same for many keys at once: all of their records are announced together, not the last one.
TEST_P(SequenceTest, A19_AReadOfManyKeysIsWaitedFor) {
  Open();
  PutTen("old");
  PutTen("new");
  ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
  std::vector<std::string> names;
  std::vector<std::string_view> keys;
  for (int i = 0; i < 10; ++i) names.push_back(absl::StrCat("key", i));
  keys.assign(names.begin(), names.end());
  CompactionReport report;
  CompactWhenASegmentIsRead(&report);
  std::vector<std::string> values;
  std::vector<absl::Status> statuses;
  db_->MultiGet(keys, &values, &statuses);
  faults_.SetHook(nullptr);
  ASSERT_TRUE(compacted_);
  EXPECT_GT(report.waiting_segments, 0u);
  EXPECT_EQ(report.retired_segments, 0u);
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_TRUE(statuses[i].ok()) << statuses[i];
    EXPECT_EQ(values[i], Value("new", static_cast<int>(i)));
  }
  EXPECT_GT(CompactAll().retired_segments, 0u);
}

// A version that a snapshot sees is moved, and overwritten after that: the snapshot is led to the
// copy.
TEST_P(SequenceTest, A22_ASnapshotSeesACopyThatWasOverwritten) {
  Open();
  PutTen("old");
  PutTen("seen");
  ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
  auto snapshot = *db_->TakeSnapshot();
  EXPECT_GT(CompactAll().copied_records, 0u);
  const std::set<uint64_t> with_copies = SegmentIds();
  PutTen("new");
  Delete("key4");
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
    CompactAll();
    ReadOptions at;
    at.snapshot = snapshot.get();
    for (int i = 0; i < 10; ++i) {
      std::string value;
      const absl::Status status = db_->Get(absl::StrCat("key", i), &value, at);
      ASSERT_TRUE(status.ok()) << status;
      EXPECT_EQ(value, Value("seen", i));
    }
    PutTen(absl::StrCat("newer", round));
  }
  snapshot.reset();
}

// An iterator stands on a record that nothing but its snapshot sees, and the snapshot is given up.
// The record stays readable, and the walk ends with the reason.
TEST_P(SequenceTest, A23_AnIteratorOutlivesTheSnapshotThatIsGivenUp) {
  options_.max_undo_bytes = 4096;
  for (const ReadMode mode : {ReadMode::kMapped, ReadMode::kPread}) {
    options_.read_mode = mode;
    BeginAnew();
    for (int i = 0; i < 300; ++i) Put(absl::StrCat("key", 1000 + i), absl::StrCat("old", i));
    auto it = *db_->NewIterator();
    ASSERT_TRUE(it->Valid());
    const std::string key(it->key());
    const std::string value(it->value());
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 300; ++i) Put(absl::StrCat("key", 1000 + i), "new");
      ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
      CompactAll();
    }
    // Nobody keeps what is past.
    EXPECT_EQ(CompactAll().waiting_segments, 0u);
    EXPECT_EQ(it->key(), key);
    EXPECT_EQ(it->value(), value);
    while (it->Valid()) {
      EXPECT_EQ(it->value().substr(0, 3), "old");
      it->Next();
    }
    EXPECT_TRUE(absl::IsResourceExhausted(it->status())) << it->status();
    it.reset();
    ExpectSound();
  }
}

// A thread that never ends its read, as one that left a handler of SIGBUS by a jump. Reclaiming
// stops until the thread ends, and nothing else does.
TEST_P(SequenceTest, A44_AReadThatNeverEndsStopsNothingElse) {
  Open();
  PutTen("old");
  PutTen("new");
  ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
  std::atomic<bool> reads{false};
  std::atomic<bool> ends{false};
  const auto nap = [] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); };
  std::thread reader([&] {
    // Its destructor is never called.
    alignas(ReaderScope) char left_behind[sizeof(ReaderScope)];
    new (left_behind) ReaderScope;
    reads = true;
    while (!ends) nap();
  });
  while (!reads) nap();
  for (int round = 0; round < 2; ++round) {
    const CompactionReport report = CompactAll();
    EXPECT_EQ(report.retired_segments, 0u);
    EXPECT_GT(report.waiting_segments, 0u);
    EXPECT_EQ(db_->GetStats().waiting_bytes, report.waiting_bytes);
    PutTen(absl::StrCat("round", round));
    EXPECT_EQ(Get("key3"), Value(absl::StrCat("round", round), 3));
  }
  const Content content = ContentOf(db_.get());
  ExpectSurvives(Crash(KeepPolicy::KeepEverything()), content);
  ends = true;
  reader.join();
  EXPECT_GT(CompactAll().retired_segments, 0u);
  ExpectContent(db_.get(), content);
}

class IndexSequenceTest : public SequenceTest {
 protected:
  // Calls `act` on the calling thread, once, when it does that with the index.
  void AtNextUse(const char* use, std::function<void()> act) {
    index_->SetObserver([use, act = std::move(act), mine = std::this_thread::get_id(),
                         done = false](const char* what) mutable {
      if (std::string_view(what) == use && std::this_thread::get_id() == mine &&
          !std::exchange(done, true)) {
        act();
      }
    });
  }
};
INSTANTIATE_TEST_SUITE_P(Indexes, IndexSequenceTest, testing::ValuesIn(SequenceIndexes()),
                         SequenceName);

// A reader has looked its record up and pins it when compaction already waits for readers. Whoever
// asked for pins before that would unlink a file whose blocks stay allocated.
TEST_P(IndexSequenceTest, A16_APinThatComesWhileReadersAreWaitedForCounts) {
  options_.read_mode = ReadMode::kMapped;
  Open();
  PutTen("old");
  // Nothing is left of it in buffers.
  ASSERT_TRUE(db_->Close().ok());
  Open();
  std::atomic<bool> looked{false};
  // The last epoch before compaction waits for readers.
  std::atomic<uint64_t> epoch{0};
  std::atomic<bool> ended{false};
  const auto nap = [] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); };
  PinnedValue pinned;
  std::thread reader([&] {
    AtNextUse("got", [&] {
      looked = true;
      while (epoch == 0 && !ended) nap();
      // Until somebody else has begun one.
      for (uint64_t now = epoch; !ended; nap()) {
        const uint64_t next = ReaderEpoch::Begin();
        if (next != now + 1) return;
        now = next;
      }
    });
    EXPECT_TRUE(db_->Get("key0", &pinned).ok());
  });
  while (!looked) nap();
  PutTen("new");
  ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
  AtStep("readers", [&] { epoch = ReaderEpoch::Begin(); });
  const CompactionReport report = CompactAll();
  ended = true;
  reader.join();
  index_->SetObserver(nullptr);
  ASSERT_TRUE(pinned.pinned());
  EXPECT_EQ(pinned.value(), Value("old", 0));
  EXPECT_GT(report.waiting_segments, 0u);
  EXPECT_GT(db_->GetStats().pinned_bytes, 0u);
  pinned.Clear();
  EXPECT_GT(CompactAll().retired_segments, 0u);
  EXPECT_EQ(CompactAll().waiting_segments, 0u);
}

// An iterator's block comes from the index, and all that it leads to is moved before the block is
// complete. Compaction waits for the block and brings it up to date.
TEST_P(IndexSequenceTest, A18_AScanOfAnIndexIsWaitedFor) {
  Open();
  PutTen("old");
  PutTen("new");
  ASSERT_TRUE(db_->Close().ok());
  Open();
  Put("last", "value");
  std::atomic<bool> moved{false};
  std::atomic<bool> ended{false};
  AtStep("held", [&] { moved = true; });
  CompactionReport report;
  std::thread compaction;
  AtNextUse("scanned", [&] {
    compaction = std::thread([&] {
      report = CompactAll();
      ended = true;
    });
    const auto nap = [] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); };
    while (!moved) nap();
    // It does not end before the block is complete, but a wrong one would.
    for (int i = 0; i < 50 && !ended; ++i) nap();
  });
  auto it = *db_->NewIterator();
  ASSERT_TRUE(compaction.joinable());
  compaction.join();
  index_->SetObserver(nullptr);
  EXPECT_GT(report.retired_segments, 0u);
  int count = 0;
  for (; it->Valid() && it->key() != "last"; it->Next(), ++count) {
    EXPECT_EQ(it->value(), Value("new", count));
  }
  EXPECT_TRUE(it->status().ok()) << it->status();
  EXPECT_EQ(count, 10);
  EXPECT_TRUE(db_->BackgroundStatus().ok()) << db_->BackgroundStatus();
}

}  // namespace
}  // namespace rumcask
