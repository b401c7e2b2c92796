// Checkpoints: what is in them, beside compaction, writers, errors and power cuts.

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tests/compaction/compaction_fixture.h"

namespace rumcask {
namespace {

namespace fs = std::filesystem;

class CheckpointTest : public CompactorTest {
 protected:
  static std::string PathOf(int number) { return absl::StrCat("/crash/checkpoint", number); }

  // Opens the checkpoint, checks every byte of it and returns its ten keys' values.
  std::vector<std::string> Contents(const std::string& path) {
    Options options = options_;
    options.keystore = HashKeystore();
    auto db = DB::OpenReadOnly(path, options);
    EXPECT_TRUE(db.ok()) << path << ": " << db.status();
    std::vector<std::string> values;
    if (!db.ok()) return values;
    const auto report = (*db)->Verify();
    EXPECT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->clean()) << report->damages[0].file << " " << report->damages[0].cause;
    for (int i = 0; i < 10; ++i) {
      std::string value;
      const absl::Status status = (*db)->Get(absl::StrCat("key", i), &value);
      values.push_back(status.ok() ? value : status.ToString());
    }
    return values;
  }
  static std::vector<std::string> Ten(const std::string& what) {
    std::vector<std::string> values;
    for (int i = 0; i < 10; ++i) values.push_back(Value(what, i));
    return values;
  }
};

TEST_F(CheckpointTest, HasTheStateOfItsMoment) {
  Open();
  PutTen("old");
  PutTen("new");
  ASSERT_TRUE(db_->Checkpoint(PathOf(0)).ok());
  PutTen("later");
  ASSERT_TRUE(db_->Checkpoint(PathOf(1)).ok());
  EXPECT_EQ(Contents(PathOf(0)), Ten("new"));
  EXPECT_EQ(Contents(PathOf(1)), Ten("later"));
  // Each goes its own way.
  {
    auto other = DB::Open(PathOf(0), options_);
    ASSERT_TRUE(other.ok()) << other.status();
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE((*other)->Put(absl::StrCat("key", i), Value("other", i)).ok());
    }
    EXPECT_TRUE((*other)->CompactAll().ok());
  }
  EXPECT_EQ(Contents(PathOf(0)), Ten("other"));
  EXPECT_EQ(Contents(PathOf(1)), Ten("later"));
  CompactAll();
  PutTen("latest");
  ExpectSound();
  EXPECT_EQ(Contents(PathOf(1)), Ten("later"));
}

TEST_F(CheckpointTest, OfNothing) {
  Open();
  ASSERT_TRUE(db_->Checkpoint(PathOf(0)).ok());
  auto other = DB::Open(PathOf(0), options_);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ((*other)->KeyCount(), 0u);
  EXPECT_TRUE((*other)->Put("key", "value").ok());
}

TEST_F(CheckpointTest, OfAnUncleanEnd) {
  Open();
  PutTen("old");
  ASSERT_TRUE(db_->Sync().ok());
  CrashFileSystem cut(disk_.Cut(KeepPolicy::KeepEverything()));
  Options options = options_;
  options.file_system = &cut;
  auto db = DB::Open(kPath, options);
  ASSERT_TRUE(db.ok()) << db.status();
  ASSERT_TRUE((*db)->Checkpoint(PathOf(0)).ok());
  db->reset();
  options_.file_system = &cut;
  EXPECT_EQ(Contents(PathOf(0)), Ten("old"));
  options_.file_system = &faults_;
}

TEST_F(CheckpointTest, A36_AtEachStepOfACompaction) {
  for (const bool on_disk : {false, true}) {
    if (on_disk) PutIndexOnDisk();
    options_.reindex = true;
    Open();
    PutTen("old");
    for (int i = 0; i < 10; i += 3) ASSERT_TRUE(db_->Delete(absl::StrCat("key", i)).ok());
    PutTen("new");
    for (int i = 0; i < 10; i += 2) Put(absl::StrCat("key", i), Value("newer", i));
    std::vector<std::string> expected;
    for (int i = 0; i < 10; ++i) expected.push_back(Get(absl::StrCat("key", i)));
    int steps = 0;
    DbTestPeer::CompactorOf(db_.get())->SetStepHook([&](std::string_view step) {
      SCOPED_TRACE(step);
      const std::string path = PathOf(100 * on_disk + steps++);
      const absl::Status status = db_->Checkpoint(path);
      ASSERT_TRUE(status.ok()) << status;
      EXPECT_EQ(Contents(path), expected);
    });
    CompactAll();
    EXPECT_GE(steps, 9);
    DbTestPeer::CompactorOf(db_.get())->SetStepHook(nullptr);
    CompactAll();
    ASSERT_TRUE(db_->Checkpoint(PathOf(1000 + on_disk)).ok());
    EXPECT_EQ(Contents(PathOf(1000 + on_disk)), expected);
    ExpectSound();
  }
}

// What a checkpoint is made of stays until it is made, though nothing else needs it.
TEST_F(CheckpointTest, CompactionWaitsForIt) {
  Open();
  PutTen("old");
  PutTen("new");
  CompactionReport report;
  faults_.SetHook([&, mine = std::this_thread::get_id()](const Call& call) {
    if (call.kind != CallKind::kRead || std::this_thread::get_id() != mine ||
        std::exchange(compacted_, true)) {
      return;
    }
    std::thread([&] { report = CompactAll(); }).join();
    // Nor can anybody take the half of it for a database, or make another one there.
    EXPECT_TRUE(absl::IsUnavailable(DB::Open(PathOf(0), options_).status()));
  });
  ASSERT_TRUE(db_->Checkpoint(PathOf(0)).ok());
  faults_.SetHook(nullptr);
  ASSERT_TRUE(compacted_);
  EXPECT_GT(report.waiting_segments, 0u);
  EXPECT_EQ(report.retired_segments, 0u);
  EXPECT_EQ(Contents(PathOf(0)), Ten("new"));
  EXPECT_GT(CompactAll().retired_segments, 0u);
}

// A checkpoint begins when compaction has seen that nobody pins what it is about to retire.
TEST_F(CheckpointTest, A36_BetweenTheLastLookForPinsAndRetiring) {
  Open();
  PutTen("old");
  PutTen("new");
  std::atomic<bool> reads{false};
  std::atomic<bool> compacted{false};
  std::atomic<bool> checkpoints{false};
  absl::Status status;
  std::thread other;
  const auto nap = [] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); };
  faults_.SetHook([&, mine = std::this_thread::get_id()](const Call& call) {
    if (!checkpoints || call.kind != CallKind::kRead || std::this_thread::get_id() == mine) return;
    reads = true;
    while (!compacted) nap();
  });
  DbTestPeer::CompactorOf(db_.get())->SetStepHook([&](std::string_view step) {
    if (step != "retire" || std::exchange(compacted_, true)) return;
    checkpoints = true;
    other = std::thread([&] { status = db_->Checkpoint(PathOf(0)); });
    while (!reads) nap();
  });
  const CompactionReport report = CompactAll();
  compacted = true;
  ASSERT_TRUE(compacted_);
  other.join();
  faults_.SetHook(nullptr);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(Contents(PathOf(0)), Ten("new"));
  EXPECT_GT(report.waiting_segments, 0u);
  EXPECT_GT(CompactAll().retired_segments, 0u);
  ExpectSound();
}

TEST_F(CheckpointTest, BesideWritersItHasAPrefix) {
  options_.background_threads = 2;
  options_.compaction.automatic = true;
  options_.compaction.trigger_dead_share = 0.3;
  options_.compaction.max_space_amplification = 100;
  Open();
  std::atomic<bool> ends{false};
  std::vector<std::thread> writers;
  for (int t = 0; t < 2; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 1; !ends; ++i) {
        WriteBatch batch;
        batch.Put(absl::StrCat("first", t), absl::StrCat(i));
        batch.Put(absl::StrCat("second", t), absl::StrCat(i, std::string(300, '.')));
        ASSERT_TRUE(db_->Write(batch).ok());
      }
    });
  }
  for (int i = 0; i < 40; ++i) {
    uint64_t before = db_->GetStats().last_version;
    const absl::Status status = db_->Checkpoint(PathOf(i));
    ASSERT_TRUE(status.ok()) << status;
    Options options = options_;
    auto db = DB::OpenReadOnly(PathOf(i), options);
    ASSERT_TRUE(db.ok()) << db.status();
    EXPECT_GE((*db)->GetStats().last_version, before);
    for (int t = 0; t < 2; ++t) {
      std::string first;
      std::string second;
      const absl::Status found = (*db)->Get(absl::StrCat("first", t), &first);
      EXPECT_EQ(found.code(), (*db)->Get(absl::StrCat("second", t), &second).code());
      if (found.ok()) {
        EXPECT_EQ(second, absl::StrCat(first, std::string(300, '.')));
      }
    }
    const auto report = (*db)->Verify();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->clean()) << report->damages[0].file << " " << report->damages[0].cause;
  }
  ends = true;
  for (std::thread& writer : writers) writer.join();
}

// A segment that was closed and is continued is not sealed, so it must not be linked.
TEST_F(CheckpointTest, A38_OnlySealedSegmentsAreLinked) {
  std::string made = (fs::path(testing::TempDir()) / "checkpoint.XXXXXX").string();
  ASSERT_NE(::mkdtemp(made.data()), nullptr);
  const fs::path root(made);
  options_.file_system = nullptr;
  const auto open = [&](const fs::path& path) {
    auto db = DB::Open(path.string(), options_);
    EXPECT_TRUE(db.ok()) << db.status();
    return *std::move(db);
  };
  db_ = open(root / "db");
  PutTen("old");
  db_.reset();
  db_ = open(root / "db");
  ASSERT_TRUE(db_->Checkpoint((root / "checkpoint").string()).ok());
  const std::vector<SegmentStats> segments = db_->GetStats().segments;
  for (const SegmentStats& segment : segments) {
    struct stat info = {};
    const std::string name = SegmentName(segment.id);
    ASSERT_EQ(::stat((root / "checkpoint" / name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_nlink, segment.sealed ? 2u : 1u) << name;
  }
  EXPECT_FALSE(segments.back().sealed);
  PutTen("new");
  ASSERT_TRUE(db_->CompactAll().ok());
  db_.reset();
  db_ = open(root / "checkpoint");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Get(absl::StrCat("key", i)), Value("old", i));
  ExpectSound();
  PutTen("other");
  ASSERT_TRUE(db_->CompactAll().ok());
  db_.reset();
  db_ = open(root / "db");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Get(absl::StrCat("key", i)), Value("new", i));
  ExpectSound();
  db_.reset();
  fs::remove_all(root);
}

TEST_F(CheckpointTest, ReturnedItSurvivesAPowerCut) {
  Open();
  PutTen("old");
  PutTen("new");
  ASSERT_TRUE(db_->Checkpoint(PathOf(0)).ok());
  for (const KeepPolicy& policy : {KeepPolicy::DropUnsynced(), KeepPolicy::KeepEverything()}) {
    CrashFileSystem cut(disk_.Cut(policy));
    options_.file_system = &cut;
    EXPECT_EQ(Contents(PathOf(0)), Ten("new"));
  }
  options_.file_system = &faults_;
}

TEST_F(CheckpointTest, AnErrorInAnyCallDoesNoHarm) {
  Open();
  PutTen("old");
  PutTen("new");
  for (const int error : {EIO, ENOSPC, EACCES}) {
    for (uint64_t call = 1;; ++call) {
      FaultPlan plan;
      plan.call = call;
      plan.error = error;
      faults_.SetPlan(plan);
      const std::string path = PathOf(static_cast<int>(error * 1000 + call));
      const absl::Status status = db_->Checkpoint(path);
      const bool failed = faults_.fault_count() > 0;
      faults_.SetPlan({});
      ASSERT_TRUE(db_->BackgroundStatus().ok()) << db_->BackgroundStatus();
      if (status.ok()) {
        EXPECT_EQ(Contents(path), Ten("new"));
      } else {
        EXPECT_FALSE(status.message().empty());
        // Nothing is left that could be taken for a database.
        if (!disk_.OpenDirectory(path).ok()) continue;
        for (const auto& [name, bytes] : disk_.Contents(path)) {
          EXPECT_TRUE(absl::EndsWith(name, "LOCK")) << name << ": " << status;
        }
        EXPECT_FALSE(DB::OpenReadOnly(path, options_).ok());
      }
      if (!failed) break;
    }
  }
  PutTen("newer");
  CompactAll();
  ExpectSound();
}

TEST_F(CheckpointTest, BadPathsAreRefused) {
  Open();
  PutTen("old");
  EXPECT_TRUE(absl::IsAlreadyExists(db_->Checkpoint(kPath)));
  ASSERT_TRUE(db_->Checkpoint(PathOf(0)).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(db_->Checkpoint(PathOf(0))));
  EXPECT_TRUE(absl::IsNotFound(db_->Checkpoint("/crash/nowhere/checkpoint")));
  EXPECT_TRUE(absl::IsInvalidArgument(db_->Checkpoint("")));
  EXPECT_TRUE(db_->Close().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->Checkpoint(PathOf(1))));
}

}  // namespace
}  // namespace rumcask
