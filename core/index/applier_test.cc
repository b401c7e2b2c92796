// What stands between the log and an index on disk, when the index is slow to do what it says.

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/db.h"
#include "core/stats.h"
#include "core/system/mutex.h"
#include "tests/crash_kit/adversarial_index.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

// Threads of which each will come to a place where it waits for another, or to its end.
class ThreadsToAwait {
 public:
  // In such a thread, as long as it runs.
  class Member {
   public:
    explicit Member(ThreadsToAwait* all)
        : all_(all), id_(static_cast<pid_t>(::syscall(SYS_gettid))) {
      MutexLock lock(all_->mutex_);
      all_->running_.insert(id_);
      ++all_->begun_;
    }
    ~Member() {
      MutexLock lock(all_->mutex_);
      all_->running_.erase(id_);
    }

   private:
    ThreadsToAwait* const all_;
    const pid_t id_;
  };

  // Until `count` of them have begun, and each has ended or sleeps.
  void AwaitIdle(int count) {
    for (int idle = 0; idle < 3;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      MutexLock lock(mutex_);
      const bool is_idle = begun_ == count && std::all_of(running_.begin(), running_.end(), Sleeps);
      // Sleeps are short where memory is got, or a file's lock.
      idle = is_idle ? idle + 1 : 0;
    }
  }

 private:
  static bool Sleeps(pid_t id) {
    std::ifstream file(absl::StrCat("/proc/self/task/", id, "/stat"));
    const std::string stat{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const size_t name_end = stat.rfind(')');
    return name_end != std::string::npos && stat.compare(name_end, 3, ") S") == 0;
  }

  Mutex mutex_;
  int begun_ = 0;
  std::set<pid_t> running_;
};

class IndexApplierTest : public testing::Test {
 protected:
  IndexApplierTest() {
    options_.keystore = index_->Keystore("disk", /*reports_replaced=*/false);
    options_.keystore->buffer_bytes = 4096;
    options_.create_if_missing = true;
    options_.file_system = &faults_;
  }
  ~IndexApplierTest() override { index_->SetObserver(nullptr); }

  void Open() {
    db_.reset();
    auto db = DB::Open("/crash/db", options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }
  // Fills buffers until a put does not return OK, or `most` of them.
  absl::Status Fill(int most) {
    absl::Status status;
    for (int i = 0; i < most && status.ok(); ++i) {
      status = db_->Put(absl::StrCat("key", next_++), "value");
    }
    return status;
  }
  // Until the index has all that was written before.
  // Returns how many puts that took.
  int PushOut() {
    const uint64_t version = db_->GetStats().last_version;
    int puts = 0;
    for (; db_->GetStats().index_version < version && puts < 100000; ++puts) {
      EXPECT_TRUE(db_->Put(absl::StrCat("pushed", puts), "out").ok());
    }
    EXPECT_LT(puts, 100000) << "nothing reaches the index";
    return puts;
  }
  void ExpectAllThere() {
    for (int i = 0; i < next_; ++i) {
      ASSERT_TRUE(db_->Get(absl::StrCat("key", i)).ok()) << i;
    }
  }

  CrashFileSystem disk_;
  FaultFileSystem faults_{&disk_};
  std::shared_ptr<AdversarialDisk> index_ = AdversarialDisk::Make();
  Options options_;
  std::unique_ptr<DB> db_;
  int next_ = 0;
};

// Flush says OK, and the position is durable only later: not yet is not never.
TEST_F(IndexApplierTest, APositionThatLagsIsWaitedFor) {
  Open();
  for (uint64_t round = 1; round < 6; ++round) {
    index_->Lag(round % 3 + 1);
    ASSERT_TRUE(Fill(500).ok()) << db_->BackgroundStatus();
    (void)PushOut();
    EXPECT_EQ(index_->lagging(), 0u);
    EXPECT_TRUE(db_->BackgroundStatus().ok()) << db_->BackgroundStatus();
  }
  ASSERT_TRUE(db_->Close().ok());
  Open();
  EXPECT_EQ(db_->GetStats().index_rebuilt, "");
  ExpectAllThere();
}

// After it was short of something an index may lag for long. Without a thread of ours the writers
// are told, and each tries again.
TEST_F(IndexApplierTest, APositionThatLagsAfterAFullDiskIsNeverGivenUp) {
  options_.background_threads = 0;
  Open();
  index_->FailApply(absl::ResourceExhaustedError("no room"));
  EXPECT_TRUE(absl::IsResourceExhausted(Fill(1000)));
  index_->FailApply(absl::OkStatus());
  index_->Lag(300);
  while (index_->lagging() > 0) {
    const absl::Status status = db_->Put("key", "value");
    ASSERT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
  }
  ASSERT_TRUE(Fill(500).ok());
  EXPECT_TRUE(db_->BackgroundStatus().ok()) << db_->BackgroundStatus();
  ASSERT_TRUE(db_->Close().ok());
  Open();
  EXPECT_EQ(db_->GetStats().index_rebuilt, "");
}

TEST_F(IndexApplierTest, AnIndexThatNeverKeepsWhatItFlushedIsGivenUp) {
  options_.background_threads = 0;
  Open();
  index_->Lag(1000);
  absl::Status status;
  for (int i = 0; i < 1000 && !absl::IsFailedPrecondition(status); ++i) status = Fill(1000);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "does not become durable")) << status;
  EXPECT_GT(index_->lagging(), 800u);
  EXPECT_LT(index_->lagging(), 950u);
}

// One that has a later position than it was given is none of ours.
TEST_F(IndexApplierTest, AnIndexThatIsAheadOfWhatItWasGivenIsGivenUp) {
  options_.background_threads = 0;
  Open();
  index_->SetObserver([&](const char* what) {
    if (std::string_view(what) != "apply") return;
    index_->Tamper([](AdversarialDisk::State* state) { state->notes["position"] = "nonsense"; });
  });
  EXPECT_TRUE(absl::IsFailedPrecondition(Fill(2000)));
}

// Two buffers wait for an index that stands still, and so does a writer. That the log fails
// meanwhile, for another one, it hears at once.
TEST_F(IndexApplierTest, AWriterThatWaitsForTheIndexHearsThatTheLogHasFailed) {
  Open();
  std::promise<void> go_on;
  std::atomic<bool> armed{true};
  index_->SetObserver([&](const char* what) {
    if (std::string_view(what) == "apply" && armed.exchange(false)) go_on.get_future().wait();
  });
  FaultPlan plan;
  plan.call = 1;
  plan.for_ever = true;
  plan.matches = [](const Call& call) { return call.kind == CallKind::kSync; };
  bool failed = false;
  absl::Status status;
  while (status.ok()) {
    std::future<absl::Status> put = std::async(std::launch::async, [&] { return Fill(1); });
    // One that takes so long waits for the index. If not, another one will.
    if (put.wait_for(std::chrono::seconds(1)) != std::future_status::ready && !failed) {
      faults_.SetPlan(plan);
      failed = !db_->Sync().ok();
    }
    status = put.get();
  }
  EXPECT_TRUE(failed);
  EXPECT_TRUE(absl::StrContains(status.message(), "read-only after")) << status;
  EXPECT_FALSE(armed);
  go_on.set_value();
}

// The applier tells the past versions of what it replaces in the index.
TEST_F(IndexApplierTest, ASnapshotSeesWhatTheApplierReplaces) {
  for (const bool reports_replaced : {false, true}) {
    SCOPED_TRACE(reports_replaced);
    index_ = AdversarialDisk::Make();
    options_.keystore = index_->Keystore(reports_replaced ? "looks" : "blind", reports_replaced);
    options_.keystore->buffer_bytes = 4096;
    options_.background_threads = 0;
    options_.reindex = true;
    Open();
    ASSERT_TRUE(db_->Put("replaced", "old").ok());
    ASSERT_TRUE(db_->Put("deleted", "old").ok());
    (void)PushOut();
    auto snapshot = db_->TakeSnapshot();
    ASSERT_TRUE(snapshot.ok());
    ASSERT_TRUE(db_->Put("replaced", "new").ok());
    ASSERT_TRUE(db_->Delete("deleted").ok());
    (void)PushOut();
    EXPECT_EQ(db_->Get("replaced", {snapshot->get()}).value_or("none"), "old");
    EXPECT_EQ(db_->Get("deleted", {snapshot->get()}).value_or("none"), "old");
    EXPECT_EQ(db_->Get("replaced").value_or("none"), "new");
    EXPECT_TRUE(absl::IsNotFound(db_->Get("deleted").status()));
  }
}

// What was seen in the index is of the generation before the look: a key that has come and gone
// through the buffers meanwhile is looked for again.
TEST_F(IndexApplierTest, AConditionIsLookedAtAgainIfABufferHasGoneMeanwhile) {
  options_.background_threads = 0;
  Open();
  ASSERT_TRUE(db_->Put("first", "value").ok());
  (void)PushOut();
  std::atomic<bool> armed{true};
  index_->SetObserver([&](const char* what) {
    if (std::string_view(what) != "got" || !armed.exchange(false)) return;
    std::thread([&] {
      ASSERT_TRUE(db_->Put("key", "meanwhile").ok());
      (void)PushOut();
    }).join();
  });
  EXPECT_TRUE(absl::IsAlreadyExists(db_->PutIfAbsent("key", "late")));
  EXPECT_FALSE(armed);
  EXPECT_EQ(db_->Get("key").value_or("none"), "meanwhile");
}

TEST_F(IndexApplierTest, ARequirementIsLookedAtAgainIfABufferHasGoneMeanwhile) {
  options_.background_threads = 0;
  Open();
  WriteResult first;
  ASSERT_TRUE(db_->Put("first", "value", {}, &first).ok());
  (void)PushOut();
  // The second one changes after the first was brought up to date.
  std::atomic<int> looks{0};
  WriteResult meanwhile;
  index_->SetObserver([&](const char* what) {
    if (std::string_view(what) != "got" || ++looks != 2) return;
    std::thread([&] {
      ASSERT_TRUE(db_->Put("key", "meanwhile", {}, &meanwhile).ok());
      (void)PushOut();
    }).join();
  });
  WriteBatch batch;
  batch.Require("first", first.version);
  batch.Require("key", 0);
  batch.Put("key", "late");
  WriteResult result;
  const absl::Status status = db_->Write(batch, {}, &result);
  EXPECT_TRUE(absl::IsAborted(status)) << status;
  EXPECT_EQ(result.version, meanwhile.version);
  EXPECT_GT(looks, 2);
  EXPECT_EQ(db_->Get("key").value_or("none"), "meanwhile");
}

TEST_F(IndexApplierTest, ABatchGetsThroughAlthoughABufferGoesAtEachLook) {
  options_.background_threads = 0;
  Open();
  WriteResult first;
  ASSERT_TRUE(db_->Put("first", "value", {}, &first).ok());
  (void)PushOut();
  constexpr int kMost = 20;
  std::atomic<int> pushed{0};
  std::vector<std::thread> others;
  const std::thread::id writer = std::this_thread::get_id();
  index_->SetObserver([&](const char* what) {
    if (std::string_view(what) != "got" || std::this_thread::get_id() != writer) return;
    if (pushed == kMost) return;
    ++pushed;
    std::promise<void> done;
    const std::future<void> is_done = done.get_future();
    others.emplace_back([this, done = std::move(done)]() mutable {
      (void)db_->Put("other", "value");
      (void)PushOut();
      done.set_value();
    });
    // If this thread holds the write lock, the other one gets on only later.
    (void)is_done.wait_for(std::chrono::milliseconds(300));
  });
  WriteBatch batch;
  batch.Require("first", first.version);
  batch.Put("key", "value");
  const absl::Status status = db_->Write(batch);
  EXPECT_TRUE(status.ok()) << status;
  index_->SetObserver(nullptr);
  for (std::thread& other : others) other.join();
  EXPECT_LT(pushed, kMost);
  EXPECT_GT(pushed, 1);
  EXPECT_EQ(db_->Get("key").value_or("none"), "value");
}

// While one buffer is being applied, writers are let in, each of which fills another. They are as
// many as there are threads, and the buffers are not.
TEST_F(IndexApplierTest, WritersThatAreLetInTogetherDoNotFillABufferEach) {
  constexpr int kWriters = 8;
  options_.replay_bytes = 1;
  options_.append_mode = AppendMode::kWrite;
  Open();
  std::promise<void> stands;
  std::promise<void> index_goes_on;
  std::atomic<bool> index_armed{true};
  std::atomic<int> flushes{0};
  index_->SetObserver([&](const char* what) {
    if (std::string_view(what) == "flush") ++flushes;
    if (std::string_view(what) != "apply" || !index_armed.exchange(false)) return;
    stands.set_value();
    index_goes_on.get_future().wait();
  });
  ASSERT_TRUE(Fill(1).ok());
  stands.get_future().wait();
  // The first of the writers stands under the write lock until the others wait for that.
  std::promise<void> reached;
  std::promise<void> log_goes_on;
  std::atomic<bool> log_armed{true};
  faults_.SetHook([&](const Call& call) {
    if (call.kind != CallKind::kWrite || !log_armed.exchange(false)) return;
    reached.set_value();
    log_goes_on.get_future().wait();
  });
  ThreadsToAwait threads;
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([&, i] {
      const ThreadsToAwait::Member member(&threads);
      EXPECT_TRUE(db_->Put(absl::StrCat("w", i), "value").ok());
    });
  }
  reached.get_future().wait();
  threads.AwaitIdle(kWriters);
  log_goes_on.set_value();
  // Those that were not let in, if any, wait for the index.
  threads.AwaitIdle(kWriters);
  const uint64_t last = db_->GetStats().last_version;
  index_goes_on.set_value();
  for (std::thread& writer : writers) writer.join();
  faults_.SetHook(nullptr);
  const int pushed = PushOut();
  EXPECT_GE(last, 6u) << "they were not let in together";
  // Of the first one, of the first writer's with all that were let in with it, and of each that
  // came later.
  const int later = kWriters + 1 - static_cast<int>(last) + pushed;
  EXPECT_LE(flushes.load(), 2 + 1 + later);
  for (int i = 0; i < kWriters; ++i) EXPECT_TRUE(db_->Get(absl::StrCat("w", i)).ok());
}

TEST_F(IndexApplierTest, ABufferWithoutBoundIsNoLess) {
  options_.keystore->buffer_bytes = UINT64_MAX;
  options_.replay_bytes = 100000;
  Open();
  ASSERT_TRUE(Fill(5000).ok());
  ASSERT_TRUE(db_->Close().ok());
  Open();
  ExpectAllThere();
}

}  // namespace
}  // namespace rumcask
