#include "tools/bench/schedule.h"

#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "tools/bench/child_process.h"
#include "tools/bench/db_bench.h"
#include "tools/bench/fake_engine.h"
#include "tools/bench/machine.h"
#include "tools/bench/process_counters.h"
#include "tools/bench/store_files.h"

namespace rumcask::bench {
namespace {

namespace fs = std::filesystem;

class ScheduleTest : public testing::Test {
 protected:
  ScheduleTest() : directory_(testing::TempDir() + "/schedule_test") {
    fs::remove_all(directory_);
    EXPECT_TRUE(BenchDirectory::Make(directory_).ok());
  }
  ~ScheduleTest() override { fs::remove_all(directory_); }

  Schedule Of(const std::string& benchmarks, uint64_t num) {
    DbBenchSettings settings;
    settings.num = num;
    Schedule schedule;
    schedule.pass.workloads = *DbBenchWorkloads(benchmarks, settings);
    schedule.pass.seed = 42;
    schedule.directory = directory_;
    return schedule;
  }

  const std::string directory_;
};

TEST_F(ScheduleTest, EveryRoundOfEveryStore) {
  Schedule schedule = Of("fillseq,readrandom,compact,fillseq", 500);
  schedule.systems = {FakeType("one"), FakeType("two"), FakeType("three")};
  schedule.rounds = 2;
  std::vector<std::string> order;
  for (EngineType& type : schedule.systems) {
    type.open = [&order, name = type.name](
                    const EngineSettings& settings) -> absl::StatusOr<std::unique_ptr<Engine>> {
      order.push_back(name);
      EXPECT_TRUE(fs::is_empty(settings.path)) << settings.path;
      std::ofstream(settings.path + "/data") << std::string(100000, 'x') << std::flush;
      return std::make_unique<FakeEngine>();
    };
  }
  schedule.isolate = false;
  Report report;
  RunSchedule(schedule, SystemClock(), &report);
  // Each round begins with another store, and each fill opens an empty store.
  EXPECT_EQ(order, (std::vector<std::string>{"one", "one", "two", "two", "three", "three", "two",
                                             "two", "three", "three", "one", "one"}));
  EXPECT_EQ(report.Benchmarks(),
            (std::vector<std::string>{"fillseq", "readrandom", "compact", "fillseq 2", "close"}));
  EXPECT_EQ(report.systems.size(), 3);
  EXPECT_EQ(report.results.size(), 15);
  for (const Result& result : report.results) {
    ASSERT_EQ(result.rounds.size(), 2);
    if (result.benchmark == "compact") {
      EXPECT_EQ(result.WhyNot(), "not supported: it is a fake");
      continue;
    }
    EXPECT_TRUE(result.Done()) << result.WhyNot();
    for (const Measurement& m : result.rounds) {
      EXPECT_EQ(m.live_keys, 500) << result.benchmark;
      EXPECT_EQ(m.live_bytes, 58000) << result.benchmark;
      EXPECT_GE(m.disk_bytes, 100000) << result.benchmark;
    }
    // All stores do the same work in all rounds.
    const Result* one = report.Find(result.benchmark, "one");
    EXPECT_EQ(result.rounds[0].work, one->rounds[0].work) << result.benchmark;
    EXPECT_EQ(result.rounds[0].work, result.rounds[1].work) << result.benchmark;
  }
  EXPECT_NE(report.Find("fillseq", "one")->rounds[0].work, 0);
  EXPECT_EQ(report.Find("close", "one")->rounds[0].written_bytes, 58000);
  // No store is left.
  for (const char* name : {"one", "two", "three"}) {
    EXPECT_TRUE(fs::is_empty(BenchDirectory::StorePath(directory_, name)));
  }
}

TEST_F(ScheduleTest, AFailingStoreDoesNotStopOthers) {
  Schedule schedule = Of("fillseq,readrandom,fillseq", 100);
  EngineType broken = FakeType("broken");
  broken.open = [](const EngineSettings&) -> absl::StatusOr<std::unique_ptr<Engine>> {
    auto engine = std::make_unique<FakeEngine>();
    engine->on_call = [](std::string_view, std::string_view) {
      return absl::InternalError("no luck");
    };
    return engine;
  };
  EngineType dying = FakeType("dying");
  dying.open = [](const EngineSettings&) -> absl::StatusOr<std::unique_ptr<Engine>> {
    ::raise(SIGKILL);
    return absl::InternalError("still alive");
  };
  EngineType closed = FakeType("closed");
  closed.open = [](const EngineSettings&) -> absl::StatusOr<std::unique_ptr<Engine>> {
    return absl::FailedPreconditionError("does not open");
  };
  schedule.systems = {broken, dying, closed, FakeType("sound")};
  Report report;
  RunSchedule(schedule, SystemClock(), &report);
  EXPECT_EQ(report.Find("fillseq", "broken")->WhyNot(), "failed: no luck");
  EXPECT_EQ(report.Find("readrandom", "broken")->WhyNot(), "failed: fillseq failed before");
  EXPECT_EQ(report.Find("fillseq 2", "broken")->WhyNot(), "failed: no luck");
  EXPECT_EQ(report.Find("readrandom", "dying")->WhyNot(), "failed: killed by signal 9 (Killed)");
  EXPECT_EQ(report.Find("fillseq", "closed")->WhyNot(), "failed: does not open");
  for (const char* benchmark : {"fillseq", "readrandom", "fillseq 2", "close"}) {
    EXPECT_TRUE(report.Find(benchmark, "sound")->Done()) << benchmark;
    EXPECT_EQ(report.Find(benchmark, "sound")->rounds[0].live_keys, 100) << benchmark;
  }
  EXPECT_EQ(report.Find("readrandom", "sound")->rounds[0].found, 100);
}

// Writes as much to a log as it is given, and what it is given three times more.
class CountingEngine : public FakeEngine {
 public:
  explicit CountingEngine(uint64_t put_bytes) : put_bytes_(put_bytes) {}
  absl::StatusOr<WrittenBytes> Written() override {
    const uint64_t bytes = counts().puts * put_bytes_;
    return WrittenBytes{bytes, 3 * bytes};
  }

 private:
  const uint64_t put_bytes_;
};

TEST_F(ScheduleTest, WhatAStoreCounts) {
  Schedule schedule = Of("fillseq,churn,overwrite", 50);
  schedule.systems = {FakeType("counting"), FakeType("other")};
  schedule.systems[0].open = [](const EngineSettings&) -> absl::StatusOr<std::unique_ptr<Engine>> {
    return std::make_unique<CountingEngine>(/*put_bytes=*/116);
  };
  schedule.isolate = false;
  Report report;
  RunSchedule(schedule, SystemClock(), &report);
  const auto remark = [&report](const char* benchmark, const char* system) {
    const Result* const result = report.Find(benchmark, system);
    return result != nullptr && result->Done() ? result->rounds[0].remark : "not done";
  };
  EXPECT_EQ(remark("churn", "counting"),
            "by its own count, 1.00 bytes of log and 3.00 others written for each byte of the "
            "user's");
  EXPECT_EQ(remark("churn", "other"), "");
  EXPECT_EQ(remark("overwrite", "counting"), "");
  EXPECT_EQ(report.Find("churn", "other")->rounds[0].puts, 200);
}

TEST_F(ScheduleTest, ColdStoresAreOpenedAgain) {
  Schedule schedule = Of("fillseq,readrandom,open", 100);
  int opened = 0;
  EngineType type = FakeType("fake");
  auto engine = std::make_shared<FakeEngine>();
  type.open = [&opened](const EngineSettings& settings) -> absl::StatusOr<std::unique_ptr<Engine>> {
    ++opened;
    std::ofstream(settings.path + "/data") << std::string(100000, 'x') << std::flush;
    return std::make_unique<FakeEngine>();
  };
  schedule.systems = {type};
  schedule.isolate = false;
  schedule.pass.cold = true;
  Report report;
  RunSchedule(schedule, SystemClock(), &report);
  // Opened for the fill, for the read, before the last benchmark, and during it.
  EXPECT_EQ(opened, 4);
  const Measurement& read = report.Find("readrandom", "fake")->rounds[0];
  EXPECT_EQ(read.remark.rfind("page cache dropped before, ", 0), 0) << read.remark;
  EXPECT_TRUE(report.Find("open", "fake")->rounds[0].single);

  // A store that exists only in memory stays open.
  opened = 0;
  schedule.systems[0].persistent = false;
  Report in_memory;
  RunSchedule(schedule, SystemClock(), &in_memory);
  EXPECT_EQ(opened, 1);
  EXPECT_EQ(in_memory.Find("readrandom", "fake")->rounds[0].found, 100);
  EXPECT_FALSE(in_memory.Find("open", "fake")->Done());
}

// The store is left unclosed by another process, so what that process wrote is visible only in the
// files.
TEST_F(ScheduleTest, UncleanStoresAreOpenedAgain) {
  Schedule schedule = Of("fillseq,openunclean,deleterandom,openunclean,readrandom", 1000);
  EngineType type = FakeType("fake");
  // Records each process's openings, puts and closings by appending to a file.
  class Telling : public FakeEngine {
   public:
    explicit Telling(std::string path) : path_(std::move(path)) { Tell("open"); }
    absl::Status Close() override {
      Tell(absl::StrCat("close after ", counts().puts));
      return absl::OkStatus();
    }

   private:
    void Tell(const std::string& what) const {
      std::ofstream(path_, std::ios::app) << what << "\n" << std::flush;
    }
    const std::string path_;
  };
  const std::string told = directory_ + "/told";
  type.open = [&told](const EngineSettings&) -> absl::StatusOr<std::unique_ptr<Engine>> {
    return std::make_unique<Telling>(told);
  };
  schedule.systems = {type};
  for (const bool isolate : {false, true}) {
    fs::remove(told);
    schedule.isolate = isolate;
    Report report;
    RunSchedule(schedule, SystemClock(), &report);
    std::ifstream file(told);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    EXPECT_EQ(lines, (std::vector<std::string>{"open", "close after 1000", "open", "open",
                                               "close after 0", "open", "open", "close after 0"}));
    const Measurement& first = report.Find("openunclean", "fake")->rounds[0];
    EXPECT_EQ(first.outcome, Measurement::Outcome::kDone) << first.remark;
    EXPECT_TRUE(first.single);
    EXPECT_EQ(first.remark, "100 puts before, by a process that ended without closing");
    EXPECT_EQ(first.live_keys, 1000);
    // Some of the deleted keys exist again.
    const Measurement& deleted = report.Find("deleterandom", "fake")->rounds[0];
    const Measurement& second = report.Find("openunclean 2", "fake")->rounds[0];
    EXPECT_GT(second.live_keys, deleted.live_keys);
    EXPECT_NE(second.work, first.work);
    EXPECT_EQ(report.Find("close", "fake")->rounds[0].written_bytes, 1200 * 116 + 1000 * 16);
  }

  schedule.systems[0].persistent = false;
  Report in_memory;
  RunSchedule(schedule, SystemClock(), &in_memory);
  EXPECT_EQ(in_memory.Find("openunclean", "fake")->WhyNot(),
            "not supported: nothing is kept that could be opened");
  EXPECT_TRUE(in_memory.Find("readrandom", "fake")->Done());

  schedule.systems = {FakeType("broken")};
  schedule.systems[0].open = [](const EngineSettings&) -> absl::StatusOr<std::unique_ptr<Engine>> {
    auto engine = std::make_unique<FakeEngine>();
    engine->on_call = [](std::string_view, std::string_view) {
      return absl::InternalError("no luck");
    };
    return engine;
  };
  schedule.pass.workloads = {schedule.pass.workloads[1]};
  schedule.pass.use_existing = true;
  Report broken;
  RunSchedule(schedule, SystemClock(), &broken);
  EXPECT_EQ(broken.Find("openunclean", "broken")->WhyNot(),
            "failed: before it was left open: no luck");
}

TEST_F(ScheduleTest, DirectoriesOfOthersAreLeftAlone) {
  const std::string foreign = directory_ + "/foreign";
  fs::create_directories(foreign + "/hash");
  std::ofstream(foreign + "/hash/precious") << "x" << std::flush;
  EXPECT_TRUE(absl::IsFailedPrecondition(BenchDirectory::Make(foreign)));
  EXPECT_FALSE(BenchDirectory::MakeEmpty(BenchDirectory::StorePath(foreign, "hash")).ok());
  BenchDirectory::Remove(foreign);
  EXPECT_TRUE(fs::exists(foreign + "/hash/precious"));

  const std::string own = directory_ + "/own";
  ASSERT_TRUE(BenchDirectory::Make(own).ok());
  ASSERT_TRUE(BenchDirectory::Make(own).ok());
  ASSERT_TRUE(BenchDirectory::MakeEmpty(BenchDirectory::StorePath(own, "hash")).ok());
  BenchDirectory::Remove(own);
  EXPECT_FALSE(fs::exists(own));
}

TEST_F(ScheduleTest, DirectoriesAboveAreNotMade) {
  EXPECT_TRUE(absl::IsNotFound(BenchDirectory::Make(directory_ + "/missing/stores")));
  EXPECT_FALSE(fs::exists(directory_ + "/missing"));
}

TEST(ChildProcessTest, ReturnsWhatTheWorkReturned) {
  const std::string large(300000, 'x');
  EXPECT_EQ(RunInChild([&] { return large; }).value(), large);
  EXPECT_EQ(RunInChild([] { return std::string(); }).value(), "");
  const absl::Status killed = RunInChild([]() -> std::string {
                                ::raise(SIGKILL);
                                return "";
                              }).status();
  EXPECT_EQ(killed.message(), "killed by signal 9 (Killed)");
  EXPECT_FALSE(RunInChild([]() -> std::string { ::_exit(3); }).ok());
}

TEST(ChildProcessTest, WaitsUntilItIsLetWork) {
  const std::string path = testing::TempDir() + "/waiting_child";
  fs::remove(path);
  const auto touch = [&path] {
    std::ofstream(path) << "x" << std::flush;
    return std::string("done");
  };
  {
    const auto never = WaitingChild::Make(touch);
    const auto neither = WaitingChild::Make(touch);
    ASSERT_TRUE(never.ok() && neither.ok());
  }
  EXPECT_FALSE(fs::exists(path));
  const auto child = WaitingChild::Make(touch);
  ASSERT_TRUE(child.ok());
  // By then this process may have threads.
  std::thread thread([&] { EXPECT_EQ((*child)->Run().value(), "done"); });
  thread.join();
  EXPECT_TRUE(fs::exists(path));
  EXPECT_TRUE(absl::IsFailedPrecondition((*child)->Run().status()));
}

TEST(ProcessCountersTest, CountWhatIsUsed) {
  const ProcessCounters counters;
  const ProcessCounts before = counters.Read();
  std::vector<char> memory(64 << 20, 1);
  const ProcessCounts after = counters.Read();
  EXPECT_GE(after.anonymous_bytes, before.anonymous_bytes + (60 << 20));
  EXPECT_GE(after.cpu_seconds, before.cpu_seconds);
  EXPECT_EQ(memory[5], 1);
}

TEST(ProcessCountersTest, NumberAfter) {
  const std::string text = "cancelled_write_bytes: 7\nwrite_bytes: 123\nRssAnon:\t  55 kB\n";
  EXPECT_EQ(NumberAfter(text, "write_bytes"), 123);
  EXPECT_EQ(NumberAfter(text, "cancelled_write_bytes"), 7);
  EXPECT_EQ(NumberAfter(text, "RssAnon"), 55);
  EXPECT_EQ(NumberAfter(text, "bytes"), std::nullopt);
}

TEST(MachineTest, FileSystemOf) {
  const std::string mounts =
      "/dev/vda / ext4 rw 0 0\nproc /proc proc rw 0 0\ntmpfs /data tmpfs rw 0 0\n"
      "/dev/vdb /data xfs rw 0 0\n";
  EXPECT_EQ(FileSystemOf("/tmp/x", mounts), "ext4 on /dev/vda");
  EXPECT_EQ(FileSystemOf("/data", mounts), "xfs on /dev/vdb");
  EXPECT_EQ(FileSystemOf("/data/db", mounts), "xfs on /dev/vdb");
  EXPECT_EQ(FileSystemOf("/database", mounts), "ext4 on /dev/vda");
  EXPECT_EQ(FileSystemOf("/x", ""), "unknown");
}

TEST(ClockTest, SystemClockWaits) {
  Clock* const clock = SystemClock();
  const uint64_t begin = clock->Now();
  clock->WaitUntil(begin + 300000);
  EXPECT_GE(clock->Now(), begin + 300000);
  clock->WaitUntil(begin);
  EXPECT_GT(ClockCost(clock), 0);
}

}  // namespace
}  // namespace rumcask::bench
