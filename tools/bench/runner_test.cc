#include "tools/bench/runner.h"

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/str_format.h"
#include "gtest/gtest.h"

#include "tools/bench/db_bench.h"
#include "tools/bench/fake_engine.h"
#include "tools/bench/live_keys.h"
#include "tools/bench/ycsb.h"

namespace rumcask::bench {
namespace {

constexpr uint64_t kMicrosecond = 1000;
constexpr uint64_t kMillisecond = 1000000;

Workload DbBench(const std::string& name, uint64_t num, uint64_t batch = 0) {
  DbBenchSettings settings;
  settings.num = num;
  if (batch > 0) settings.batch_size = batch;
  return DbBenchWorkloads(name, settings)->front();
}

Workload Ycsb(const std::string& letter, uint64_t records, uint64_t operations) {
  YcsbProperties properties = *YcsbProperties::OfWorkload(letter);
  EXPECT_TRUE(properties.Set("recordcount", std::to_string(records)).ok());
  EXPECT_TRUE(properties.Set("operationcount", std::to_string(operations)).ok());
  return *properties.RunPhase();
}

Measurement Measure(const Workload& workload, Engine* engine, RunnerSettings settings = {},
                    Clock* clock = SystemClock(), uint64_t seed = 1, Taken* taken = nullptr) {
  Taken own;
  Measurement measurement;
  Runner(settings, clock)
      .Run(workload, seed, FakeType("fake"), engine, taken == nullptr ? &own : taken, &measurement);
  return measurement;
}

RunnerSettings Threads(int threads) {
  RunnerSettings settings;
  settings.threads = threads;
  return settings;
}

// A store that takes so long for each call whose name is `call`.
void Slow(std::chrono::microseconds time, const std::string& call, FakeEngine* engine) {
  engine->on_call = [time, call](std::string_view name, std::string_view /*key*/) {
    if (name == call) std::this_thread::sleep_for(time);
    return absl::OkStatus();
  };
}

void ExpectEvenTimeline(const Measurement& m) {
  const std::vector<Timeline::Point>& points = m.timeline.points();
  ASSERT_GE(points.size(), 4);
  EXPECT_EQ(points.back().operations, m.operations);
  EXPECT_NEAR(points.back().seconds, m.seconds, 1e-6);
  Timeline::Point before;
  for (const Timeline::Point& point : points) {
    // Each sample has what was done by then, and not only what was reported.
    EXPECT_GT(point.operations, before.operations);
    EXPECT_GT(point.seconds, before.seconds);
    before = point;
  }
}

TEST(RunnerTest, TellsTheSpeedWhileItRan) {
  FakeEngine engine;
  Slow(std::chrono::microseconds(1000), "put", &engine);
  ExpectEvenTimeline(Measure(DbBench("fillseq", 1000), &engine, Threads(2)));
}

// A queue is filled before its turns begin, and emptied afterwards.
TEST(RunnerTest, TheTimelineIsOfTheTurnsOfAQueue) {
  DbBenchSettings settings;
  settings.num = 600;
  settings.reads = 600;
  FakeEngine engine;
  Slow(std::chrono::microseconds(1000), "put", &engine);
  const Measurement m = Measure(DbBenchWorkloads("queue", settings)->front(), &engine);
  ASSERT_EQ(m.outcome, Measurement::Outcome::kDone) << m.remark;
  EXPECT_EQ(m.operations, 600);
  const std::vector<Timeline::Point>& points = m.timeline.points();
  ASSERT_GE(points.size(), 3);
  EXPECT_NEAR(points.back().seconds, m.seconds, 1e-6);
  // Nothing of the time before it.
  EXPECT_LT(points.front().seconds, 0.5);
  EXPECT_GT(points.front().operations, 0);
}

// The counts are those of what the store was asked to do.
TEST(RunnerTest, CountedIsDone) {
  for (const int threads : {1, 3}) {
    FakeEngine engine;
    Measurement m = Measure(DbBench("fillseq", 1000), &engine, Threads(threads));
    EXPECT_EQ(m.outcome, Measurement::Outcome::kDone) << m.remark;
    EXPECT_EQ(m.operations, 1000);
    EXPECT_EQ(m.puts, 1000);
    EXPECT_EQ(m.written_bytes, 116000);
    EXPECT_EQ(m.latency.count(), 1000);
    EXPECT_EQ(engine.counts().puts, 1000);
    EXPECT_EQ(engine.counts().synced_puts, 0);
    EXPECT_EQ(engine.entries().size(), 1000);

    m = Measure(DbBench("readrandom", 1000), &engine, Threads(threads));
    EXPECT_EQ(m.operations, 1000);
    EXPECT_EQ(m.reads, 1000);
    EXPECT_EQ(m.found, 1000);
    EXPECT_EQ(m.read_bytes, 100000);
    EXPECT_EQ(engine.counts().gets, 1000);

    m = Measure(DbBench("readmissing", 500), &engine, Threads(threads));
    EXPECT_EQ(m.operations, 500);
    EXPECT_EQ(m.found, 0);
    EXPECT_EQ(engine.counts().gets, 1500);

    m = Measure(DbBench("multireadrandom", 1000, 32), &engine, Threads(threads));
    EXPECT_EQ(m.operations, 1000);
    EXPECT_EQ(m.found, 1000);
    EXPECT_EQ(engine.counts().multi_get_keys, 1000);

    m = Measure(DbBench("fillbatch", 1000, 100), &engine, Threads(threads));
    EXPECT_EQ(m.operations, 1000);
    EXPECT_EQ(engine.counts().batch_entries, 1000);
    EXPECT_EQ(engine.counts().puts, 1000);

    m = Measure(DbBench("seekrandom", 300), &engine, Threads(threads));
    EXPECT_EQ(m.operations, 300);
    EXPECT_EQ(m.found, 300);
    EXPECT_EQ(engine.counts().seeks, 300);

    m = Measure(DbBench("readseq", 1000), &engine, Threads(threads));
    EXPECT_EQ(m.operations, 1000 * static_cast<uint64_t>(threads));
    EXPECT_EQ(m.read_bytes, 116000 * static_cast<uint64_t>(threads));

    m = Measure(DbBench("deleterandom", 200), &engine, Threads(threads));
    EXPECT_EQ(m.operations, 200);
    EXPECT_EQ(engine.counts().deletes, 200);

    m = Measure(DbBench("fillsync", 5000), &engine, Threads(threads));
    EXPECT_EQ(m.operations, 5);
    EXPECT_EQ(engine.counts().synced_puts, 5);
  }
}

TEST(RunnerTest, CountedIsDoneInYcsb) {
  FakeEngine engine;
  YcsbProperties properties = *YcsbProperties::OfWorkload("f");
  ASSERT_TRUE(properties.Set("recordcount", "500").ok());
  (void)Measure(*properties.LoadPhase(), &engine);
  EXPECT_EQ(engine.entries().size(), 500);
  const FakeEngine::Counts before = engine.counts();
  const Measurement m = Measure(Ycsb("f", 500, 2000), &engine, Threads(2));
  EXPECT_EQ(m.operations, 2000);
  EXPECT_EQ(m.reads, 2000);
  EXPECT_EQ(m.found, 2000);
  EXPECT_EQ(engine.counts().gets - before.gets, 2000);
  EXPECT_EQ(engine.counts().puts - before.puts, m.puts);
  EXPECT_NEAR(static_cast<double>(m.puts), 1000, 100);
  EXPECT_EQ(engine.entries().size(), 500);
}

TEST(RunnerTest, SameSeedSameWork) {
  for (const Workload& workload :
       {DbBench("fillrandom", 2000), Ycsb("a", 1000, 2000), Ycsb("d", 1000, 2000)}) {
    FakeEngine one;
    FakeEngine two;
    FakeEngine three;
    const Measurement first = Measure(workload, &one, Threads(2));
    const Measurement second = Measure(workload, &two, Threads(2));
    EXPECT_EQ(first.work, second.work) << workload.name;
    EXPECT_EQ(first.written_bytes, second.written_bytes);
    std::set<std::string> keys;
    std::set<std::string> again;
    for (const auto& [key, value] : one.entries()) keys.insert(key);
    for (const auto& [key, value] : two.entries()) again.insert(key);
    EXPECT_EQ(keys, again) << workload.name;
    EXPECT_FALSE(keys.empty());
    EXPECT_NE(first.work, Measure(workload, &three, Threads(2), SystemClock(), 2).work);
  }
}

// One call in 400 takes a millisecond; all others take one microsecond.
class StallTest : public testing::Test {
 protected:
  StallTest() {
    engine_.on_call = [this](std::string_view, std::string_view) {
      clock_.Advance(++calls_ % 400 == 0 ? kMillisecond : kMicrosecond);
      return absl::OkStatus();
    };
  }

  ManualClock clock_;
  FakeEngine engine_;
  uint64_t calls_ = 0;
};

TEST_F(StallTest, ClosedLoopHardlySeesIt) {
  const Measurement m = Measure(DbBench("readrandom", 100000), &engine_, {}, &clock_);
  EXPECT_EQ(m.target, 0);
  EXPECT_EQ(m.latency.count(), 100000);
  EXPECT_EQ(m.latency.ValueAtPercentile(50), kMicrosecond);
  EXPECT_EQ(m.latency.ValueAtPercentile(99), kMicrosecond);
  EXPECT_EQ(m.latency.max(), kMillisecond);
}

TEST_F(StallTest, OpenLoopSeesWhomItDelays) {
  RunnerSettings settings;
  settings.target = 100000;  // one every 10 microseconds
  const Measurement m = Measure(DbBench("readrandom", 100000), &engine_, settings, &clock_);
  EXPECT_EQ(m.latency.count(), 100000);
  EXPECT_TRUE(m.sustained);
  EXPECT_EQ(m.latency.max(), kMillisecond);
  // A quarter of the calls waits for the end of a stall: those 111 of 400 that begin within it or
  // before the queue is empty again. So the 99.9th percentile is close to the full length of the
  // stall, too.
  EXPECT_EQ(m.latency.ValueAtPercentile(50), kMicrosecond);
  EXPECT_GT(m.latency.ValueAtPercentile(99.9), 990 * kMicrosecond);
  EXPECT_GT(m.latency.ValueAtPercentile(90), 500 * kMicrosecond);
}

TEST_F(StallTest, TargetNotSustained) {
  RunnerSettings settings;
  settings.target = 2000000;  // the store can do less than 300,000
  const Measurement m = Measure(DbBench("readrandom", 10000), &engine_, settings, &clock_);
  EXPECT_FALSE(m.sustained);
  EXPECT_LT(m.PerSecond(), 300000);
}

TEST_F(StallTest, SamplesOneInSoMany) {
  RunnerSettings settings;
  settings.sample = 8;
  const Measurement m = Measure(DbBench("readrandom", 1001), &engine_, settings, &clock_);
  EXPECT_EQ(m.operations, 1001);
  EXPECT_EQ(m.latency.count(), 126);
}

TEST_F(StallTest, GoesOnForATime) {
  Workload workload = DbBench("readrandom", 10);
  workload.seconds = 0.05;
  const Measurement m = Measure(workload, &engine_, {}, &clock_);
  // 400 calls take 1.399 milliseconds.
  EXPECT_NEAR(static_cast<double>(m.operations), 0.05 / 1.399e-3 * 400, 400);
  EXPECT_NEAR(m.seconds, 0.05, 0.001);
}

TEST(RunnerTest, AnErrorStopsAllThreads) {
  FakeEngine engine;
  engine.on_call = [](std::string_view, std::string_view key) {
    return key == "0000000000000007" ? absl::InternalError("disk on fire") : absl::OkStatus();
  };
  const Measurement m = Measure(DbBench("fillseq", 1000), &engine, Threads(3));
  EXPECT_EQ(m.outcome, Measurement::Outcome::kFailed);
  EXPECT_EQ(m.remark, "disk on fire");
}

TEST(RunnerTest, WhatAStoreCannotDo) {
  FakeEngine engine;
  engine.on_call = [](std::string_view, std::string_view) {
    return absl::UnimplementedError("not mine");
  };
  const Measurement m = Measure(DbBench("readrandom", 10), &engine);
  EXPECT_EQ(m.outcome, Measurement::Outcome::kNotSupported);
  EXPECT_EQ(m.remark, "not mine");

  EngineType type = FakeType("fake");
  type.concurrent_writes = false;
  Taken taken;
  Measurement beside;
  FakeEngine willing;
  Runner({}, SystemClock())
      .Run(DbBench("readwhilewriting", 10), 1, type, &willing, &taken, &beside);
  EXPECT_EQ(beside.outcome, Measurement::Outcome::kNotSupported);
  EXPECT_EQ(willing.counts().puts, 0);
}

TEST(RunnerTest, TheWriterBesideIsNotCounted) {
  FakeEngine engine;
  (void)Measure(DbBench("fillseq", 1000), &engine);
  DbBenchSettings settings;
  settings.num = 1000;
  settings.reads = 20000;
  const Measurement m =
      Measure(DbBenchWorkloads("readwhilewriting", settings)->front(), &engine, Threads(2));
  EXPECT_EQ(m.outcome, Measurement::Outcome::kDone) << m.remark;
  EXPECT_EQ(m.operations, 20000);
  EXPECT_EQ(m.found, 20000);
  EXPECT_EQ(m.latency.count(), 20000);
  EXPECT_EQ(engine.counts().gets, 20000);
  EXPECT_EQ(m.puts, engine.counts().puts - 1000);
  EXPECT_EQ(engine.entries().size(), 1000);
}

TEST(RunnerTest, WhatReadersAndTheWriterCost) {
  FakeEngine engine;
  (void)Measure(DbBench("fillseq", 1000), &engine);
  Measurement m = Measure(DbBench("readwhilewriting", 1000), &engine);
  EXPECT_NE(m.remark.find(" us of CPU each; writer "), std::string::npos) << m.remark;
  EXPECT_EQ(m.remark.find("waiting for locks"), std::string::npos) << m.remark;
  EngineType type = FakeType("fake");
  type.counts_lock_waits = true;
  Taken taken;
  Measurement counted;
  Runner({}, SystemClock())
      .Run(DbBench("readwhilewriting", 1000), 1, type, &engine, &taken, &counted);
  EXPECT_NE(counted.remark.find("% of the time waiting for locks; writer "), std::string::npos)
      << counted.remark;
}

TEST(RunnerTest, AQueuesTurns) {
  DbBenchSettings settings;
  settings.num = 100;
  settings.reads = 2000;
  const Workload workload = DbBenchWorkloads("queue", settings)->front();
  FakeEngine engine;
  ManualClock clock;
  uint64_t deletes = 0;
  engine.on_call = [&](std::string_view call, std::string_view key) {
    // The keys of a queue are deleted in their order, whatever their numbers are.
    if (call == "delete") {
      EXPECT_EQ(key, absl::StrFormat("%016x", deletes));
      ++deletes;
      // At the end a delete takes twice as long.
      clock.Advance(deletes > 1000 ? 2 * kMicrosecond : kMicrosecond);
    }
    return absl::OkStatus();
  };
  Taken taken;
  LiveKeys live;
  const Measurement m = Measure(workload, &engine, {}, &clock, 1, &taken);
  EXPECT_EQ(m.outcome, Measurement::Outcome::kDone) << m.remark;
  EXPECT_EQ(m.operations, 2000);
  EXPECT_EQ(m.reads, 2000);
  EXPECT_EQ(m.found, 2000);
  EXPECT_EQ(m.latency.count(), 2000);
  EXPECT_EQ(engine.counts().puts, 2100);
  EXPECT_EQ(engine.counts().deletes, 2100);
  EXPECT_TRUE(engine.entries().empty());
  EXPECT_EQ(m.remark,
            "of 2000 turns the first tenth took 1.00 us each, the last 2.00 us: 2.00 x, budget "
            "1.25 x MISSED; an iterator over the emptied store 0.000 ms, budget 1 ms met");
  live.Fill(100);
  live.Apply(workload, ValueSizes(100), 1, taken);
  EXPECT_EQ(live.count(), 0);
  EXPECT_EQ(Measure(workload, &engine, Threads(2)).outcome, Measurement::Outcome::kNotSupported);
}

TEST(RunnerTest, SnapshotsBesideTheCalls) {
  FakeEngine engine;
  (void)Measure(DbBench("fillseq", 1000), &engine);
  Workload workload = DbBench("snapshots", 1000);
  EXPECT_EQ(workload.operations, 4000);
  uint64_t calls = 0;
  engine.on_call = [&](std::string_view, std::string_view) {
    // The number of snapshots kept: one at first, then two, then all.
    const uint64_t held = calls < 500 ? 1 : calls < 2000 ? 2 : calls / 500 - 1;
    const uint64_t brief = calls % 2 == 0 ? 1 : 0;
    ++calls;
    EXPECT_EQ(engine.held_snapshots(), held + brief) << calls;
    return absl::OkStatus();
  };
  const Measurement m = Measure(workload, &engine);
  EXPECT_EQ(m.outcome, Measurement::Outcome::kDone) << m.remark;
  EXPECT_EQ(m.puts, 4000);
  EXPECT_EQ(m.latency.count(), 4000);
  EXPECT_NE(m.remark.find("of 4000 calls took more than 5 ms"), std::string::npos) << m.remark;
  EXPECT_EQ(engine.counts().snapshots, 2000 + 8);
  EXPECT_EQ(engine.counts().snapshots_held, 0);
}

TEST(LiveKeysTest, AreThoseOfTheStore) {
  FakeEngine engine;
  LiveKeys live;
  uint64_t seed = 1;
  for (const Workload& workload : {DbBench("fillrandom", 3000), DbBench("deleterandom", 2000),
                                   DbBench("overwrite", 500), DbBench("readrandom", 100)}) {
    Taken taken;
    (void)Measure(workload, &engine, {}, SystemClock(), ++seed, &taken);
    live.Apply(workload, ValueSizes(100), seed, taken);
    EXPECT_EQ(live.count(), engine.entries().size()) << workload.name;
  }
  live.Clear();
  EXPECT_EQ(live.count(), 0);
  live.Fill(10);
  EXPECT_EQ(live.count(), 10);
}

TEST(LiveKeysTest, InsertsOfSeveralThreads) {
  FakeEngine engine;
  LiveKeys live;
  live.Fill(1000);
  const Workload workload = Ycsb("d", 1000, 5000);
  Taken taken;
  (void)Measure(workload, &engine, Threads(3), SystemClock(), 1, &taken);
  live.Apply(workload, ValueSizes(1000), 1, taken);
  EXPECT_EQ(live.count(), 1000 + engine.entries().size());
}

}  // namespace
}  // namespace rumcask::bench
