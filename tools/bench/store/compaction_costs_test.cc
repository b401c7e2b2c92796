#include "tools/bench/store/compaction_costs.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace rumcask::bench {
namespace {

CallsOfThread Calls(uint64_t calls, double seconds, double waiting, uint64_t nanoseconds) {
  CallsOfThread result;
  result.calls = calls;
  result.seconds = seconds;
  result.processor_seconds = (seconds - waiting) / 2;
  result.waiting_seconds = waiting;
  result.elapsed.Record(nanoseconds, calls);
  result.own.Record(nanoseconds, calls);
  return result;
}

// Rates of 800 and 1,000 puts per second, 1,000 in own time; threads that need the processor for
// 1,000 and 2,000 puts per second; gets of 3 and 2 us; a device that allows 2,000 puts per second.
CompactionRound Round() {
  CompactionRound round;
  round.compacting.puts = Calls(800, 1, 0.2, 500);
  round.compacting.gets = Calls(100, 1, 0, 3000);
  round.growing.puts = Calls(800, 0.8, 0, 400);
  round.growing.gets = Calls(100, 1, 0, 2000);
  round.compacting.background_seconds = 0.9;
  round.compacting.busiest_seconds = 0.8;
  round.write_amplification = 2.5;
  round.device_bytes_per_second = 2000 * 2.5 * 100;
  round.live_share = 0.75;
  round.jobs = 7;
  return round;
}

std::vector<std::pair<double, bool>> Figures(const CompactionCosts& costs) {
  std::vector<std::pair<double, bool>> figures;
  for (const Goal& goal : costs.Goals()) figures.emplace_back(goal.figure, goal.met);
  return figures;
}

using Expected = std::vector<std::pair<double, bool>>;

TEST(CompactionCostsTest, RatesAgainstTheStoreThatGrows) {
  CompactionCosts costs(/*record_bytes=*/100);
  costs.Add(Round());
  EXPECT_EQ(Figures(costs),
            (Expected{{0.8, false}, {1, true}, {0.5, false}, {1.5, true}, {0, true}}));
  EXPECT_FALSE(costs.Met());
}

TEST(CompactionCostsTest, RatesAgainstASlowDevice) {
  CompactionCosts costs(/*record_bytes=*/100);
  CompactionRound round = Round();
  // 800 puts per second.
  round.device_bytes_per_second *= 0.4;
  costs.Add(std::move(round));
  EXPECT_EQ(Figures(costs),
            (Expected{{1, true}, {1.25, true}, {1.25, true}, {1.5, true}, {0, true}}));
  EXPECT_TRUE(costs.Met());
}

TEST(CompactionCostsTest, TheMedianOfTheRoundsAndTheSumOfTheStalls) {
  CompactionCosts costs(/*record_bytes=*/100);
  for (const uint64_t nanoseconds : {2000, 20000, 10000}) {
    CompactionRound round = Round();
    round.compacting.gets = Calls(100, 1, 0, nanoseconds);
    round.compacting.puts.own_stalls = nanoseconds / 2000;
    round.growing.puts.own_stalls = 2;
    costs.Add(std::move(round));
  }
  const std::vector<Goal> goals = costs.Goals();
  ASSERT_EQ(goals.size(), 5);
  EXPECT_NEAR(goals[3].figure, 5, 0.01);
  EXPECT_FALSE(goals[3].met);
  EXPECT_EQ(goals[4].figure, 10);
  EXPECT_FALSE(goals[4].met);
}

TEST(CompactionCostsTest, Table) {
  CompactionCosts costs(/*record_bytes=*/100);
  costs.Add(Round());
  costs.Add(Round());
  EXPECT_EQ(costs.AsTable(), R"(                                        compacting   growing
puts per second                                800     1,000
  in own time                                1,000     1,000
  us on a processor, each                  500.000   500.000
  time on a processor                       40.0 %    50.0 %
  time waiting for one                      20.0 %     0.0 %
  time blocked                              40.0 %    50.0 %
gets per second                                100       100
  in own time                                  100       100
  us on a processor, each                 5000.000  5000.000
  time on a processor                       50.0 %    50.0 %
  time waiting for one                       0.0 %     0.0 %
  time blocked                              50.0 %    50.0 %
other threads, us on a processor a put    1125.000     0.000
  the busiest of them                     1000.000     0.000
waits of the writer for space                    0         0

microseconds a call        p50   p99  p99.9   max  over 1 ms
put, compacting, elapsed  0.50  0.50   0.50  0.50          0
put, compacting, own      0.50  0.50   0.50  0.50          0
put, growing, elapsed     0.40  0.40   0.40  0.40          0
put, growing, own         0.40  0.40   0.40  0.40          0
get, compacting, elapsed  3.00  3.00   3.00  3.00          0
get, compacting, own      3.00  3.00   3.00  3.00          0
get, growing, elapsed     2.00  2.00   2.00  2.00          0
get, growing, own         2.00  2.00   2.00  2.00          0

round  compacting  growing  device  written    live  jobs
1             800    1,000   2,000   2.50 x  75.0 %     7
2             800    1,000   2,000   2.50 x  75.0 %     7

                                                     figure     goal
put rate, of what growing and device allow             0.80  >= 0.85  MISSED
the same in own time                                   1.00  >= 0.85     met
the same if each thread had a processor                0.50  >= 0.85  MISSED
p99 of gets in own time, of that of growing            1.50     <= 2     met
puts over 1 ms of own time, beyond those of growing    0.00     <= 0     met
)");
}

TEST(CompactionCostsTest, Json) {
  CompactionCosts costs(/*record_bytes=*/100);
  costs.Add(Round());
  const auto json = nlohmann::json::parse(costs.AsJson({{"keystore", "hash"}}));
  EXPECT_EQ(json.at("settings").at("keystore"), "hash");
  const auto& round = json.at("rounds").at(0);
  EXPECT_EQ(round.at("compacting").at("put").at("per_second"), 800);
  EXPECT_EQ(round.at("compacting").at("put").at("own_per_second"), 1000);
  EXPECT_EQ(round.at("growing").at("get").at("own_ns").at("p99"), 2000);
  EXPECT_EQ(round.at("device_puts_per_second"), 2000);
  EXPECT_EQ(json.at("goals").at(0).at("figure"), 0.8);
  EXPECT_EQ(json.at("goals").at(0).at("met"), false);
}

}  // namespace
}  // namespace rumcask::bench
