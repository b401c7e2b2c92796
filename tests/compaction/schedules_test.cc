// Schedules of compactions: at each step of the protocol, writes, conditional writes, reads,
// snapshots, iterators and pinned values come in between, and crashes, after which the database
// goes on.
//
// RUMCASK_SCHEDULES=N makes N schedules on each keystore. RUMCASK_SCHEDULE_SEED=S repeats one.

#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/compaction/schedule_run.h"
#include "tests/workloads/keystores.h"

namespace rumcask {
namespace {

uint64_t Schedules() {
  const char* const wanted = std::getenv("RUMCASK_SCHEDULES");
  return wanted == nullptr ? 4500 : std::strtoull(wanted, nullptr, 10);
}

// Every keystore in memory, and an index on disk that tells what a change replaces, and one that
// does not.
std::vector<ScheduleKeystore> Keystores() {
  std::vector<ScheduleKeystore> keystores;
  for (const KeystoreFactory& keystore : KeystoresInMemory()) {
    keystores.push_back({std::string(keystore.traits.name), keystore});
  }
  keystores.push_back({"looking", {}, /*on_disk=*/true, /*reports_replaced=*/true});
  keystores.push_back({"blind", {}, /*on_disk=*/true, /*reports_replaced=*/false});
  return keystores;
}

class SchedulesTest : public testing::TestWithParam<ScheduleKeystore> {};

INSTANTIATE_TEST_SUITE_P(Keystores, SchedulesTest, testing::ValuesIn(Keystores()),
                         [](const auto& param) { return param.param.name; });

TEST_P(SchedulesTest, CompactionChangesNothingThatAnybodySees) {
  if (const char* const seed = std::getenv("RUMCASK_SCHEDULE_SEED")) {
    ScheduleRun run(GetParam(), std::strtoull(seed, nullptr, 10));
    ASSERT_EQ(run.Run(), "");
    return;
  }
  std::set<std::string> steps;
  uint64_t schedules = 0;
  uint64_t retired = 0;
  uint64_t crashes = 0;
  uint64_t waiting = 0;
  for (uint64_t seed = 1; schedules < Schedules(); ++seed) {
    ScheduleRun run(GetParam(), seed);
    ASSERT_EQ(run.Run(), "") << "RUMCASK_SCHEDULE_SEED=" << seed;
    steps.insert(run.steps().begin(), run.steps().end());
    schedules += run.schedules();
    retired += run.retired();
    crashes += run.crashes();
    waiting += run.waiting();
  }
  std::set<std::string> expected = {"end",  "choose",  "read",   "copy", "adopt",
                                    "move", "slice",   "looked", "held", "fence",
                                    "wait", "readers", "retire"};
  // What does not tell what is replaced is counted.
  if (GetParam().name == "blind") expected.insert({"listed", "counting"});
  EXPECT_EQ(steps, expected);
  EXPECT_GE(retired, schedules);
  EXPECT_GE(crashes, schedules / 2);
  EXPECT_GE(waiting, schedules / 20);
  RecordProperty("schedules", std::to_string(schedules));
  RecordProperty("retired segments", std::to_string(retired));
  RecordProperty("crashes", std::to_string(crashes));
  RecordProperty("waiting segments", std::to_string(waiting));
}

}  // namespace
}  // namespace rumcask
