// The database compacts by itself, as CompactionOptions says.

#include <algorithm>
#include <chrono>
#include <ctime>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/compaction/compaction_fixture.h"

namespace rumcask {
namespace {

class AutomaticTest : public CompactorTest {
 protected:
  AutomaticTest() {
    options_.background_threads = 1;
    options_.compaction.automatic = true;
    options_.compaction.small_segment_bytes = 0;
  }

  // Until the test's own time is up.
  void WaitUntil(const std::function<bool()>& holds) {
    while (!holds()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  Stats Figures() { return db_->GetStats(); }
  uint64_t Jobs() { return Figures().compaction.jobs; }
  // Of a segment.
  static std::string Quarter(int i) { return absl::StrCat(i, std::string(800, '.')); }
  // Twenty segments of four records each, of which so many are dead then.
  void FillSegments(int dead_of_four) {
    for (int i = 0; i < 80; ++i) Put(absl::StrCat("key", i), Quarter(i));
    for (int i = 0; i < 80; ++i) {
      if (i % 4 < dead_of_four) {
        ASSERT_TRUE(db_->Delete(absl::StrCat("key", i)).ok());
      }
    }
  }
  void ExpectFilled(int dead_of_four) {
    for (int i = 0; i < 80; ++i) {
      const std::string value = Get(absl::StrCat("key", i));
      EXPECT_EQ(value, i % 4 < dead_of_four ? "NOT_FOUND: " : Quarter(i)) << i;
    }
  }
  // A segment triggers compaction, and another one that does not is compacted with it.
  void ExpectASecondOneToGoWithTheFirst() {
    Unbound();
    options_.compaction.trigger_dead_share = 0.7;
    Open();
    FillSegments(1);
    const std::vector<SegmentStats> before = Figures().segments;
    for (int i = 1; i < 3; ++i) ASSERT_TRUE(db_->Delete(absl::StrCat("key", i)).ok());
    WaitUntil([&] { return !IsThere(before[0].id) && !IsThere(before[1].id); });
  }
  // No bound that would ask for anything.
  void Unbound() { options_.compaction.max_space_amplification = 100; }
  bool IsThere(uint64_t id) {
    const std::vector<SegmentStats> segments = Figures().segments;
    return std::any_of(segments.begin(), segments.end(),
                       [id](const SegmentStats& segment) { return segment.id == id; });
  }
};

TEST_F(AutomaticTest, TheBoundIsKept) {
  Open();
  for (int round = 0; round < 40; ++round) PutTen(absl::StrCat("round", round, "/"));
  // Ten live records are three segments. The bound, the active and the prepared segment, and what a
  // job works on.
  EXPECT_LE(Figures().file_bytes, (5 + 4 + 2 + 8) * kMinSegmentBytes);
  EXPECT_GT(Jobs(), 0u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Get(absl::StrCat("key", i)), Value("round39/", i));
  ExpectSound();
  Open();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Get(absl::StrCat("key", i)), Value("round39/", i));
}

TEST_F(AutomaticTest, TheBoundIsTheOptions) {
  Unbound();
  Open();
  FillSegments(3);
  Put("last", "value");
  // A quarter is live, so there is four times as much.
  const Stats stats = Figures();
  EXPECT_GT(stats.log_bytes, 3 * stats.live_bytes);
  EXPECT_EQ(stats.compaction.jobs, 0u);
}

TEST_F(AutomaticTest, NothingIsCompactedIfTheUserWillDoIt) {
  options_.compaction.automatic = false;
  Open();
  for (int round = 0; round < 40; ++round) PutTen(absl::StrCat("round", round, "/"));
  EXPECT_EQ(Jobs(), 0u);
  EXPECT_GE(Segments(), 100u);
  EXPECT_GT(CompactAll().retired_segments, 90u);
}

TEST_F(AutomaticTest, WithoutThreadsNothingIsCompacted) {
  options_.background_threads = 0;
  Open();
  for (int round = 0; round < 40; ++round) PutTen(absl::StrCat("round", round, "/"));
  EXPECT_EQ(Jobs(), 0u);
  EXPECT_GE(Segments(), 100u);
}

TEST_F(AutomaticTest, ASegmentWithoutLiveRecordsGoes) {
  Unbound();
  Open();
  ASSERT_TRUE(db_->PauseCompaction().ok());
  for (int round = 0; round < 2; ++round) PutTen(absl::StrCat("round", round, "/"));
  const std::vector<SegmentStats> segments = Figures().segments;
  ASSERT_TRUE(db_->ResumeCompaction().ok());
  Put("last", "value");
  // Three are dead, of the fourth a part.
  WaitUntil([&] {
    return !IsThere(segments[0].id) && !IsThere(segments[1].id) && !IsThere(segments[2].id);
  });
  EXPECT_TRUE(IsThere(segments[3].id));
  EXPECT_EQ(Figures().compaction.copied_records, 0u);
}

TEST_F(AutomaticTest, ADeadShareTriggers) {
  Unbound();
  options_.compaction.trigger_dead_share = 0.4;
  Open();
  FillSegments(2);
  WaitUntil([&] { return !IsThere(1) && !IsThere(7) && !IsThere(20); });
  ExpectFilled(2);
}

TEST_F(AutomaticTest, DeadBytesTrigger) {
  Unbound();
  options_.compaction.trigger_dead_bytes = 1600;
  Open();
  FillSegments(2);
  WaitUntil([&] { return !IsThere(1) && !IsThere(7) && !IsThere(20); });
  ExpectFilled(2);
}

TEST_F(AutomaticTest, AShareQualifies) {
  options_.compaction.qualifying_dead_share = 0.2;
  ExpectASecondOneToGoWithTheFirst();
}

TEST_F(AutomaticTest, DeadBytesQualify) {
  options_.compaction.qualifying_dead_bytes = 800;
  ExpectASecondOneToGoWithTheFirst();
}

TEST_F(AutomaticTest, SmallSegmentsAreMerged) {
  options_.compaction.automatic = false;
  Open();
  FillSegments(0);
  const size_t before = Segments();
  options_.compaction.automatic = true;
  options_.segment_bytes = 1 << 16;
  options_.compaction.small_segment_bytes = 1 << 14;
  Open();
  Put("last", "value");
  WaitUntil([&] { return Segments() < before / 2; });
  ExpectFilled(0);
  // They do not become ever fewer and larger.
  WaitUntil([&] { return Figures().in_flight_bytes == 0; });
  ExpectSound();
}

TEST_F(AutomaticTest, TriggersCountInTheirHours) {
  const std::time_t now = std::time(nullptr);
  std::tm local = {};
  ASSERT_NE(localtime_r(&now, &local), nullptr);
  Unbound();
  options_.compaction.trigger_dead_share = 0.4;
  // Neither this hour nor the next one.
  const int begin = (local.tm_hour + 2) % 24;
  options_.compaction.windows = {{begin, (begin + 1) % 24}};
  Open();
  FillSegments(2);
  // Two rounds.
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  EXPECT_EQ(Jobs(), 0u);
  ASSERT_TRUE(db_->Close().ok());
  options_.compaction.windows.push_back({local.tm_hour, (local.tm_hour + 2) % 24});
  Open();
  Put("last", "value");
  WaitUntil([&] { return !IsThere(1); });
}

TEST_F(AutomaticTest, HoursMayGoOverMidnight) {
  CompactionPolicy policy;
  EXPECT_TRUE(policy.IsIn(0));
  policy.windows = {{22, 2}, {12, 13}};
  for (int hour = 0; hour < 24; ++hour) {
    EXPECT_EQ(policy.IsIn(hour), hour >= 22 || hour < 2 || hour == 12) << hour;
  }
}

TEST_F(AutomaticTest, CopyingKeepsToItsRate) {
  options_.compaction.automatic = false;
  options_.compaction.bytes_per_second = 100000;
  Open();
  FillSegments(1);
  const auto begin = std::chrono::steady_clock::now();
  const CompactionReport report = CompactAll();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(report.written_bytes, 40000u);
  // Each job may be early by a millisecond.
  EXPECT_GE(took.count(), 0.9 * static_cast<double>(report.written_bytes) / 100000);
}

TEST_F(AutomaticTest, CloseDoesNotWaitForTheRate) {
  options_.compaction.bytes_per_second = 1;
  options_.compaction.trigger_dead_share = 0.2;
  Open();
  FillSegments(1);
  WaitUntil([&] { return Figures().compaction.running; });
  EXPECT_TRUE(db_->Close().ok());
  Open();
  ExpectFilled(1);
}

TEST_F(AutomaticTest, PausedAndResumed) {
  Open();
  Put("first", "value");
  ASSERT_TRUE(db_->PauseCompaction().ok());
  for (int round = 0; round < 40; ++round) PutTen(absl::StrCat("round", round, "/"));
  EXPECT_EQ(Jobs(), 0u);
  ASSERT_TRUE(db_->ResumeCompaction().ok());
  Put("last", "value");
  WaitUntil([&] { return Figures().file_bytes <= (5 + 4 + 2) * kMinSegmentBytes; });
}

TEST_F(AutomaticTest, PausedBeforeTheFirstWrite) {
  Open();
  ASSERT_TRUE(db_->PauseCompaction().ok());
  for (int round = 0; round < 20; ++round) PutTen(absl::StrCat("round", round, "/"));
  ASSERT_TRUE(db_->ResumeCompaction().ok());
  Put("last", "value");
  WaitUntil([&] { return Jobs() > 0; });
}

TEST_F(AutomaticTest, TheListenerIsTold) {
  class Notes : public Listener {
   public:
    void OnCompaction(const CompactionReport& report) override {
      retired += report.retired_segments;
    }
    std::atomic<uint64_t> retired{0};
  };
  const auto notes = std::make_shared<Notes>();
  options_.listener = notes;
  Open();
  for (int round = 0; round < 20; ++round) PutTen(absl::StrCat("round", round, "/"));
  WaitUntil([&] { return notes->retired > 10; });
  const uint64_t retired = notes->retired;
  EXPECT_LE(retired, Figures().compaction.retired_segments);
}

// The oldest snapshot is given up when what only snapshots need takes as much as the bound.
TEST_F(AutomaticTest, SnapshotsDoNotKeepSpaceForEver) {
  Open();
  PutTen("first");
  // It keeps three segments, so it is never given up.
  const auto snapshot = *db_->TakeSnapshot();
  std::string value;
  for (int round = 0; round < 100; ++round) PutTen(absl::StrCat("round", round, "/"));
  ASSERT_TRUE(db_->Get("key0", &value, {snapshot.get()}).ok());
  ASSERT_EQ(value, Value("first", 0));
  // Fifty that keep a state each.
  std::vector<std::shared_ptr<const Snapshot>> snapshots;
  for (int round = 0; round < 50; ++round) {
    PutTen(absl::StrCat("kept", round, "/"));
    snapshots.push_back(*db_->TakeSnapshot());
  }
  WaitUntil([&] { return absl::IsResourceExhausted(db_->Get("key0", &value, {snapshot.get()})); });
  EXPECT_TRUE(db_->Get("key0", &value, {snapshots.back().get()}).ok());
  EXPECT_EQ(value, Value("kept49/", 0));
}

// Nobody can take PinnedValues away, so writers are told.
TEST_F(AutomaticTest, PinnedValuesAreNamed) {
  options_.read_mode = ReadMode::kMapped;
  Open();
  std::vector<PinnedValue> pinned;
  absl::Status status;
  for (int i = 0; status.ok() && i < 100000; ++i) {
    status = db_->Put("key", Value("value", i));
    if (!status.ok()) break;
    pinned.emplace_back();
    ASSERT_TRUE(db_->Get("key", &pinned.back()).ok());
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "PinnedValues")) << status;
  EXPECT_EQ(pinned.front().value(), Value("value", 0));
  // Reads go on, and so does writing when they are released.
  EXPECT_NE(Get("key"), "");
  pinned.clear();
  WaitUntil([&] { return db_->Put("key", "value").ok(); });
  WaitUntil([&] { return Figures().file_bytes <= (1 + 4 + 2) * kMinSegmentBytes; });
}

// Compaction that fails neither ends writing nor is given up.
TEST_F(AutomaticTest, AFailureIsToldAndTriedAgain) {
  class Notes : public Listener {
   public:
    void OnCompactionError(const absl::Status& status) override {
      MutexLock lock(mutex);
      messages.emplace_back(status.message());
    }
    Mutex mutex;
    std::vector<std::string> messages ABSL_GUARDED_BY(mutex);
  };
  const auto notes = std::make_shared<Notes>();
  options_.listener = notes;
  Open();
  PutTen("first");
  // Survivors cannot be created: their first write is of a whole header and more, in one call.
  std::atomic<bool> fails{true};
  DbTestPeer::CompactorOf(db_.get())->SetStepHook([&](std::string_view step) {
    if (step != "copy" || !fails) return;
    FaultPlan plan;
    plan.call = 1;
    plan.error = EIO;
    plan.matches = [compactor = std::this_thread::get_id()](const Call& call) {
      return call.kind == CallKind::kOpen && std::this_thread::get_id() == compactor;
    };
    faults_.SetPlan(plan);
  });
  for (int round = 0; round < 30; ++round) PutTen(absl::StrCat("round", round, "/"));
  WaitUntil([&] {
    MutexLock lock(notes->mutex);
    return !notes->messages.empty();
  });
  fails = false;
  faults_.SetPlan({});
  for (int round = 0; round < 30; ++round) PutTen(absl::StrCat("again", round, "/"));
  WaitUntil([&] { return Figures().file_bytes <= (5 + 4 + 2) * kMinSegmentBytes; });
  ExpectSound();
}

// Each try would copy what the index can never lead to.
TEST_F(AutomaticTest, A41_AnIndexThatFailedIsNotCompactedFor) {
  PutIndexOnDisk();
  options_.keystore->buffer_bytes = 2000;
  // Measuring must not need the index.
  Unbound();
  options_.compaction.trigger_dead_share = 0.2;
  Open();
  ASSERT_TRUE(db_->PauseCompaction().ok());
  FillSegments(2);
  // What is dead becomes known when the index has taken it.
  for (int i = 0; Figures().live_bytes > 60 * Quarter(0).size(); ++i) {
    Put(absl::StrCat("another", i), "");
  }
  index_->FailApply(absl::InternalError("broken"));
  for (int i = 0; db_->BackgroundStatus().ok(); ++i) (void)db_->Put(absl::StrCat("other", i), "");
  ASSERT_TRUE(db_->ResumeCompaction().ok());
  EXPECT_FALSE(db_->Put("last", "value").ok());
  const uint64_t written = Figures().compaction.written_bytes;
  // Two tries.
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  EXPECT_EQ(Figures().compaction.written_bytes, written);
  // The next opening goes on.
  index_->FailApply(absl::OkStatus());
  Open();
  FillSegments(1);
  WaitUntil([&] { return Figures().compaction.retired_segments > 10; });
  ExpectFilled(1);
}

TEST_F(AutomaticTest, BadOptionsAreRefused) {
  const auto expect_refused = [this](const char* what,
                                     const std::function<void(CompactionOptions*)>& change) {
    Options options = options_;
    change(&options.compaction);
    const absl::Status status = DB::Open(kPath, options).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), what)) << status;
  };
  using C = CompactionOptions;
  expect_refused("amplification", [](C* c) { c->max_space_amplification = 1; });
  expect_refused("amplification", [](C* c) { c->max_space_amplification = 101; });
  expect_refused("trigger_dead_share", [](C* c) { c->trigger_dead_share = 0; });
  expect_refused("qualifying_dead_share", [](C* c) { c->qualifying_dead_share = 1.5; });
  expect_refused("windows", [](C* c) { c->windows = {{3, 25}}; });
  expect_refused("windows", [](C* c) { c->windows = {{3, 3}}; });
}

}  // namespace
}  // namespace rumcask
