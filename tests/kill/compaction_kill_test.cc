// Kills a program with four writing threads while its database compacts, again and again on one
// directory.
//
// The threads put, delete, write batches and write on conditions in tiny segments, so that segments
// are emptied, written and removed all the time. Another thread reads at snapshots, and in some
// runs one more calls CompactSome or CompactAll. Some runs are with another keystore, so that the
// database is reindexed, and the next one is reindexed back. What must be there after a kill is
// told in writers_kill_test.cc.
//
// RUMCASK_FULL=1 goes on killing for half an hour.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "keystores/by_name.h"
#include "tests/kill/writers_fixture.h"
#include "tests/workloads/writer_operations.h"

namespace rumcask {
namespace {

using Clock = std::chrono::steady_clock;

class CompactionKillTest : public WritersFixture {
 protected:
  CompactionKillTest() : WritersFixture(ChurnOf) {}
};

TEST_F(CompactionKillTest, WhatWasAcknowledgedIsThere) {
  const bool full = std::getenv("RUMCASK_FULL") != nullptr;
  const auto end = Clock::now() + std::chrono::minutes(full ? 30 : 0);
  constexpr int kLanded = 30;
  constexpr uint64_t kOtherKeystoreEvery = 6;
  const char* const kWorks[] = {"churn", "churn", "churn-some", "churn-all"};
  std::mt19937_64 random(1);
  int rounds = 0, landed = 0, retiring = 0, in_job = 0;
  uint64_t retired = 0, snapshots = 0;
  for (; landed < kLanded || Clock::now() < end; ++rounds) {
    ASSERT_LT(rounds, 10 * landed + 10 * kLanded) << "only " << landed << " kills among writes";
    SCOPED_TRACE(absl::StrCat("round ", rounds));
    Life life;
    life.keystore = random() % kOtherKeystoreEvery == 0
                        ? KeystoreNames()[random() % KeystoreNames().size()]
                        : RUMCASK_TESTED_KEYSTORE;
    life.append_mode = random() % 2 == 0 ? AppendMode::kMapped : AppendMode::kWrite;
    life.work = kWorks[random() % 4];
    life.length = 3 * LengthOf(random());
    const bool lands = Round(life);
    if (lands) ++landed;
    retired += figures().retired;
    snapshots += figures().snapshots;
    if (figures().retired > 0) ++retiring;
    if (figures().compacting != 0) ++in_job;
    const bool read_only = random() % 2 == 0;
    NoteOpening(lands, read_only);
    const ReadMode read_mode = random() % 2 == 0 ? ReadMode::kMapped : ReadMode::kPread;
    Check(read_only, read_mode, /*thorough=*/random() % 2 == 0, life.keystore);
    if (HasFailure()) return;
  }
  std::printf(
      "%d kills, %d of them after each thread had acknowledged and %d while the database was "
      "compacting; %d of these runs retired segments, %llu in all; %llu operations acknowledged "
      "and "
      "present, %llu present but not acknowledged; %llu snapshots read, the keystore changed %d "
      "times\n",
      rounds, landed, in_job, retiring, static_cast<unsigned long long>(retired),
      static_cast<unsigned long long>(operations_),
      static_cast<unsigned long long>(unacknowledged_), static_cast<unsigned long long>(snapshots),
      changed_);
  EXPECT_GT(retired, static_cast<uint64_t>(landed));
  EXPECT_GT(snapshots, 0u);
  EXPECT_GT(changed_, 0);
}

}  // namespace
}  // namespace rumcask
