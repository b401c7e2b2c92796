// Tests tables, JSON, CSV and verdicts with reports made by hand.

#include "tools/bench/report.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tools/bench/compare.h"
#include "tools/bench/example_results.h"
#include "tools/bench/json_report.h"
#include "tools/bench/table.h"

namespace rumcask::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Report Example() {
  Report report;
  report.command = "rumcask_bench --num=1000000";
  report.date = "2026-01-02 03:04:05 UTC";
  report.machine = {{"processor", "a fast one"}, {"memory", "enough"}};
  report.settings = {{"threads", "1"}, {"keys", "1,000,000 of 16 bytes"}};
  report.systems = {{"hash", "rumcask", "off", "mapped", "in the page cache"},
                    {"other", "Other 1.0", "on", "none", "nowhere"}};
  report.results = {Rounds("fillseq", "hash", {0.5, 0.4, 0.8}),
                    Rounds("fillseq", "other", {5, 5.5, 4.5})};

  Result reads = Rounds("readrandom", "hash", {0.25, 0.25, 0.25});
  for (Measurement& m : reads.rounds) {
    m.puts = m.written_bytes = 0;
    m.device_bytes.reset();
    m.reads = 1000000;
    m.found = 632000;
    m.target = 5000000;
    m.sustained = false;
  }
  report.results.push_back(std::move(reads));
  Result missing = Rounds("readrandom", "other", {1});
  missing.rounds[0].outcome = Measurement::Outcome::kNotSupported;
  missing.rounds[0].remark = "it, \"the other\", cannot read";
  report.results.push_back(std::move(missing));

  for (const char* system : {"hash", "other"}) {
    Result open = {"open", system, {}};
    for (const double seconds : {0.010, 0.012, 0.014}) {
      Measurement m;
      m.benchmark = "open";
      m.single = true;
      m.operations = 1;
      m.seconds = seconds;
      m.cpu_seconds = seconds;
      m.system_calls = 12;
      m.remark = "warm";
      open.rounds.push_back(m);
    }
    report.results.push_back(std::move(open));
  }
  return report;
}

TEST(SpreadTest, MedianAndExtremes) {
  EXPECT_EQ(SpreadOf({}).median, 0);
  EXPECT_EQ(SpreadOf({3}).median, 3);
  EXPECT_EQ(SpreadOf({3, 1}).median, 2);
  const Spread spread = SpreadOf({5, 1, 4});
  EXPECT_EQ(spread.median, 4);
  EXPECT_EQ(spread.min, 1);
  EXPECT_EQ(spread.max, 5);
  EXPECT_EQ(spread.Relative(), 0.5);
}

TEST(TableTest, Golden) {
  EXPECT_EQ(AsTable(Example()),
            R"($ rumcask_bench --num=1000000
2026-01-02 03:04:05 UTC

Machine
  processor  a fast one
  memory     enough

Same work for all
  threads  1
  keys     1,000,000 of 16 bytes

Systems
  hash: rumcask, assertions off
    mapped
    unsynced writes: in the page cache
  other: Other 1.0, assertions on
    none
    unsynced writes: nowhere

Operations per second, median of 3 rounds ± half their range
                         hash            other
fillseq     2,000,000 ±31.2 %  200,000 ±10.1 %
readrandom   4,000,000 ±0.0 %    not supported
open          12.0 ms ±16.7 %  12.0 ms ±16.7 %
  readrandom, hash: target not sustained: 4,000,000 of 5,000,000 operations per
    second; 63.2 % of what was read was there
  readrandom, other: not supported: it, "the other", cannot read
  open, all: warm
  too short to tell whether the speed was steady: fillseq, readrandom

Response time, open loop, from the moment the call should have begun,
microseconds per call
                    p50   p90   p99  p99.9  p99.99   max
fillseq      hash  0.50  0.50  0.50   0.50    50.0  50.0
fillseq     other  0.50  0.50  0.50   0.50    50.0  50.0
readrandom   hash  0.50  0.50  0.50   0.50    50.0  50.0

Resources, medians (CPU of all threads; RAM is anonymous memory; 'close'
is of all writes since the store was empty)
                    CPU/op  calls/op  RAM B/key  peak    on disk  x live
fillseq      hash   500 ns         -       36.0  40.0  165.9 MiB    1.50
fillseq     other  5.00 us         -       36.0  40.0  165.9 MiB    1.50
readrandom   hash   250 ns         -       36.0  40.0  165.9 MiB    1.50
open         hash  12.0 ms      12.0          -     -        0 B       -
open        other  12.0 ms      12.0          -     -        0 B       -

                     written  x user
fillseq      hash  143.1 MiB    1.29
fillseq     other  143.1 MiB    1.29
readrandom   hash          -       -
open         hash          -       -
open        other          -       -
)");
}

// 40 samples. After 30 of them it goes on at `rate`, where it was 4.
Timeline Changing(uint64_t rate) {
  std::vector<Timeline::Point> points;
  for (uint64_t i = 1; i <= 40; ++i) {
    const uint64_t done = i <= 30 ? 4 * i : 120 + rate * (i - 30);
    points.push_back({static_cast<double>(i), 1000 * done});
  }
  return Timeline::FromPoints(points);
}

// Figures that depend on how long the benchmark ran are said to do so.
TEST(TableTest, WhatIsNotSteady) {
  Report report = Example();
  Result& result = report.results[0];
  ASSERT_EQ(result.rounds.size(), 3);
  EXPECT_THAT(AsTable(report), Not(HasSubstr("not steady")));
  EXPECT_THAT(AsTable(report),
              HasSubstr("too short to tell whether the speed was steady: fillseq"));
  EXPECT_THAT(SteadinessOf(result), HasSubstr("not recorded"));
  for (Measurement& m : result.rounds) m.timeline.End(0, 0.5, 1000000);
  EXPECT_THAT(SteadinessOf(result), HasSubstr("too short"));

  // The sizes of the changes count: a round that was faster does not make up for a slower one.
  result.rounds[0].timeline = Changing(3);
  result.rounds[1].timeline = Changing(4);
  EXPECT_EQ(LastChangeOf(result), std::nullopt);
  result.rounds[2].timeline = Changing(6);
  EXPECT_NEAR(*LastChangeOf(result), -0.25, 1e-9);
  EXPECT_THAT(AsTable(report), HasSubstr("not steady: in the last quarter of the time 25 %"));
  // It comes back.
  const absl::StatusOr<Report> copy = ReportFromJson(AsJson(report));
  ASSERT_TRUE(copy.ok());
  EXPECT_NEAR(*LastChangeOf(copy->results[0]), -0.25, 1e-9);

  for (Measurement& m : result.rounds) m.timeline = Changing(4);
  EXPECT_EQ(SteadinessOf(result), "the speed was steady in the second half");
  EXPECT_THAT(AsTable(report), Not(HasSubstr("not steady")));
}

TEST(TableTest, AlignsCharactersNotBytes) {
  EXPECT_EQ(Aligned({{"a", "±1", "x"}, {"bcd", "100", ""}}, 1), "a     ±1  x\nbcd  100\n");
}

TEST(TableTest, WhatIsTooWideFollowsBelow) {
  const std::string wide(40, 'w');
  EXPECT_EQ(Aligned({{"", "one", "two", "three"}, {"row", wide, "2", wide}}, 1),
            "     " + std::string(37, ' ') + "one  two\n" + "row  " + wide + "    2\n\n" + "     " +
                std::string(35, ' ') + "three\n" + "row  " + wide + "\n");
}

TEST(TableTest, TheCommandIsBrokenBetweenArguments) {
  Report report = Example();
  const std::string word(30, 'w');
  report.command = "rumcask bench --a=" + word + " --b=" + word + " '--c=" + word + " " + word +
                   " it'\\''s " + word + "' -d";
  const std::string text = AsTable(report);
  EXPECT_EQ(text.substr(0, text.find("2026")),
            "$ rumcask bench --a=" + word + " \\\n    --b=" + word + " \\\n    '--c=" + word + " " +
                word + " it'\\''s " + word + "' \\\n    -d\n");
  report.command = "rumcask bench " + std::string(64, 'x');
  EXPECT_EQ(AsTable(report).find("\\\n"), std::string::npos) << "80 columns are not too many";
}

TEST(TableTest, NothingCommandsTheTerminal) {
  const std::string escape = "\x1b[31m";
  Report report = Example();
  report.command += escape;
  report.date += escape;
  report.machine.emplace_back(escape, escape);
  report.settings.emplace_back(escape, escape + "\nforged");
  for (SystemReport& system : report.systems) {
    system.name += escape;
    system.library += escape;
    system.options += escape;
    system.durability += escape;
  }
  for (Result& result : report.results) {
    result.benchmark += escape;
    result.system += escape;
    for (Measurement& m : result.rounds) m.remark += escape;
  }
  Report after = report;
  after.machine.back().second += "2";
  const std::vector<Comparison> comparisons = Compare(report, after, 0.05).value();
  for (const std::string& text :
       {AsTable(report), AsCsv(report), AsJson(report), AsPercentiles(report),
        ComparisonTable(report, after, comparisons)}) {
    EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
    EXPECT_EQ(text.find("\nforged"), std::string::npos) << text;
  }
}

TEST(TableTest, PercentilesOfWhatWasDone) {
  const std::string text = AsPercentiles(Example());
  EXPECT_NE(text.find("\n# fillseq, other, microseconds\n"), std::string::npos);
  EXPECT_EQ(text.find("# readrandom, other"), std::string::npos);
  EXPECT_NE(text.find("Total count    =         3000]"), std::string::npos) << text;
}

TEST(JsonReportTest, ComesBack) {
  const Report report = Example();
  const std::string text = AsJson(report);
  const absl::StatusOr<Report> back = ReportFromJson(text);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(AsJson(*back), text);
  EXPECT_EQ(AsTable(*back), AsTable(report));
  EXPECT_EQ(AsCsv(*back), AsCsv(report));
}

TEST(JsonReportTest, Golden) {
  Report report = Example();
  report.results = {report.results[4]};
  report.results[0].rounds.resize(1);
  report.systems.pop_back();
  EXPECT_EQ(AsJson(report), R"({
 "rumcask_bench": 1,
 "command": "rumcask_bench --num=1000000",
 "date": "2026-01-02 03:04:05 UTC",
 "machine": {
  "processor": "a fast one",
  "memory": "enough"
 },
 "settings": {
  "threads": "1",
  "keys": "1,000,000 of 16 bytes"
 },
 "systems": [
  {
   "name": "hash",
   "library": "rumcask",
   "assertions": "off",
   "options": "mapped",
   "durability": "in the page cache"
  }
 ],
 "results": [
  {
   "benchmark": "open",
   "system": "hash",
   "summary": {
    "seconds": {
     "median": 0.01,
     "min": 0.01,
     "max": 0.01
    },
    "service_ns": {
     "p50": 0,
     "p90": 0,
     "p99": 0,
     "p99.9": 0,
     "p99.99": 0,
     "max": 0
    },
    "last_change": null,
    "cpu_ns_per_op": 10000000.0,
    "system_calls_per_op": 12.0,
    "instructions_per_op": null,
    "memory_bytes_per_key": null,
    "peak_memory_bytes_per_key": null,
    "space_amplification": null,
    "write_amplification": null
   },
   "rounds": [
    {
     "benchmark": "open",
     "outcome": "done",
     "remark": "warm",
     "single": true,
     "operations": 1,
     "puts": 0,
     "reads": 0,
     "found": 0,
     "read_bytes": 0,
     "written_bytes": 0,
     "seconds": 0.01,
     "work": 0,
     "target": 0.0,
     "sustained": true,
     "cpu_seconds": 0.01,
     "device_bytes": null,
     "system_calls": 12,
     "instructions": null,
     "memory_bytes": 0,
     "peak_memory_bytes": 0,
     "disk_bytes": 0,
     "live_keys": 0,
     "live_bytes": 0,
     "latency": {
      "min": 0,
      "max": 0,
      "sum": 0,
      "buckets": []
     },
     "timeline": []
    }
   ]
  }
 ]
}
)");
}

TEST(JsonReportTest, SomethingElse) {
  for (const char* text :
       {"", "{", "[]", "5", "{}", R"({"rumcask_bench": 2})", R"({"rumcask_bench": 1})",
        R"({"rumcask_bench": 1, "command": 5})",
        R"({"rumcask_bench": 1, "command": "", "date": "", "machine": {}, "settings": {},
            "systems": [], "results": [{"benchmark": "x", "system": "y", "rounds": [{}]}]})"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ReportFromJson(text).status())) << text;
  }
}

TEST(CsvTest, Golden) {
  Report report = Example();
  for (Result& result : report.results) result.rounds.resize(1);
  EXPECT_EQ(
      AsCsv(report),
      "benchmark,system,round,outcome,operations,seconds,ops_per_second,reads,found,target,"
      "sustained,p50_ns,p90_ns,p99_ns,p99.9_ns,p99.99_ns,max_ns,cpu_ns_per_op,"
      "system_calls_per_op,instructions_per_op,memory_bytes,memory_bytes_per_key,peak_memory_bytes,"
      "disk_bytes,space_amplification,device_bytes,write_amplification,live_keys,work,remark\n"
      "fillseq,hash,1,done,1000000,0.500000,2000000.0,0,0,0,yes,500,500,500,500,50000,50000,500,,"
      ",36000000,36,40000000,174000000,1.5,150000000,1.2931,1000000,0000000000000abc,\n"
      "fillseq,other,1,done,1000000,5.000000,200000.0,0,0,0,yes,500,500,500,500,50000,50000,5000"
      ",,,36000000,36,40000000,174000000,1.5,150000000,1.2931,1000000,0000000000000abc,\n"
      "readrandom,hash,1,done,1000000,0.250000,4000000.0,1000000,632000,5e+06,no,500,500,500,500"
      ",50000,50000,250,,,36000000,36,40000000,174000000,1.5,,,1000000,0000000000000abc,\n"
      "readrandom,other,1,not supported,1000000,1.000000,1000000.0,0,0,0,yes,500,500,500,500,"
      "50000,50000,1000,,,36000000,36,40000000,174000000,1.5,150000000,1.2931,1000000,"
      "0000000000000abc,"
      "\"it, \"\"the other\"\", cannot read\"\n"
      "open,hash,1,done,1,0.010000,100.0,0,0,0,yes,0,0,0,0,0,0,1e+07,12,,0,,0,0,,,,0,"
      "0000000000000000,warm\n"
      "open,other,1,done,1,0.010000,100.0,0,0,0,yes,0,0,0,0,0,0,1e+07,12,,0,,0,0,,,,0,"
      "0000000000000000,warm\n");
}

// ---- compare ----

Report Single(const std::vector<double>& seconds) {
  Report report;
  report.results = {Rounds("fillseq", "hash", seconds)};
  return report;
}

Comparison::Verdict VerdictOf(const Report& before, const Report& after) {
  const absl::StatusOr<std::vector<Comparison>> comparisons = Compare(before, after, 0.05);
  EXPECT_TRUE(comparisons.ok()) << comparisons.status();
  EXPECT_EQ(comparisons->size(), 1);
  EXPECT_EQ(AnyWorse(*comparisons), comparisons->front().verdict == Comparison::Verdict::kWorse);
  return comparisons->front().verdict;
}

TEST(CompareTest, Verdicts) {
  using V = Comparison::Verdict;
  const Report before = Single({1.00, 1.02, 1.04});
  EXPECT_EQ(VerdictOf(before, before), V::kSame);
  EXPECT_EQ(VerdictOf(before, Single({1.20, 1.25, 1.30})), V::kWorse);
  EXPECT_EQ(VerdictOf(before, Single({0.80, 0.70, 0.75})), V::kBetter);
  // The bands overlap, because of one slow round of `before` and one fast round of `after`.
  EXPECT_EQ(VerdictOf(before, Single({1.03, 1.25, 1.30})), V::kUnclear);
  EXPECT_EQ(VerdictOf(before, Single({1.00, 6.00, 7.00})), V::kUnclear);
  // The bands do not overlap, but 4 % are below the threshold.
  EXPECT_EQ(VerdictOf(before, Single({1.05, 1.06, 1.07})), V::kSame);
  EXPECT_EQ(VerdictOf(before, Single({1.30, 1.30})), V::kTooFewRounds);
}

TEST(CompareTest, WhatIsDoneOnceARoundIsNotJudged) {
  Report before = Single({1.0, 1.0, 1.0});
  Report after = Single({2.0, 2.0, 2.0});
  for (Report* report : {&before, &after}) {
    for (Measurement& m : report->results[0].rounds) m.single = true;
  }
  EXPECT_EQ(VerdictOf(before, after), Comparison::Verdict::kOnce);
  EXPECT_EQ(VerdictOf(before, before), Comparison::Verdict::kSame);
  EXPECT_LT(Compare(before, after, 0.05)->front().change, 0) << "less time is better";
}

TEST(CompareTest, OnceARoundIsCalledSo) {
  Report before = Single({1.0, 1.0, 1.0});
  Report after = Single({2.0, 2.0, 2.0});
  for (Report* report : {&before, &after}) {
    for (Measurement& m : report->results[0].rounds) m.single = true;
  }
  const std::vector<Comparison> comparisons = Compare(before, after, 0.05).value();
  EXPECT_NE(ComparisonTable(before, after, comparisons).find("  once a round, not judged  "),
            std::string::npos);
}

TEST(CompareTest, OpenLoopsByTheirTail) {
  Report before = Single({1, 1, 1});
  Report after = Single({1, 1, 1});
  for (Report* report : {&before, &after}) {
    for (Measurement& m : report->results[0].rounds) {
      m.target = 1000;
      if (report == &after) m.latency.Record(700, 100);
    }
  }
  const std::vector<Comparison> comparisons = Compare(before, after, 0.05).value();
  EXPECT_EQ(comparisons[0].figure, "p99 ns");
  EXPECT_EQ(comparisons[0].verdict, Comparison::Verdict::kWorse);
  EXPECT_EQ(VerdictOf(after, before), Comparison::Verdict::kBetter);
}

TEST(CompareTest, MissingAndFailed) {
  using V = Comparison::Verdict;
  Report before = Single({1, 1, 1});
  Report after = Single({1, 1, 1});
  after.results[0].rounds[1].outcome = Measurement::Outcome::kFailed;
  EXPECT_EQ(VerdictOf(before, after), V::kWorse);
  EXPECT_EQ(VerdictOf(after, before), V::kMissing);
  after.results[0] = Rounds("readseq", "hash", {1, 1, 1});
  const std::vector<Comparison> comparisons = Compare(before, after, 0.05).value();
  ASSERT_EQ(comparisons.size(), 2);
  EXPECT_EQ(comparisons[0].verdict, V::kMissing);
  EXPECT_EQ(comparisons[1].benchmark, "readseq");
  EXPECT_EQ(comparisons[1].verdict, V::kMissing);
  EXPECT_FALSE(AnyWorse(comparisons));
}

TEST(CompareTest, OtherWorkIsNotCompared) {
  Report before = Example();
  Report after = Example();
  after.settings[0].second = "2";
  after.settings.emplace_back("seed", "7");
  const absl::Status status = Compare(before, after, 0.05).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_EQ(status.message(), "the runs did different work: threads: 1 and 2; seed: nothing and 7");
}

TEST(CompareTest, Table) {
  const Report before = Single({1.00, 1.02, 1.04});
  Report after = Single({1.20, 1.25, 1.30});
  after.machine = {{"processor", "a slow one"}};
  EXPECT_EQ(ComparisonTable(before, after, Compare(before, after, 0.05).value()),
            "The machines differ: processor: nothing and a slow one\n"
            "               verdict   change                                 before\n"
            "fillseq  hash    WORSE  -18.4 %  operations/s  980392 (961538-1000000)\n"
            "\n"
            "                                after\n"
            "fillseq  hash  800000 (769231-833333)\n");
}

}  // namespace
}  // namespace rumcask::bench
