// Kills a program with four writing threads many times on the same database.
//
// Each thread acknowledges an operation through a pipe of its own after it has returned. The
// database must hold every acknowledged operation, and besides these at most the one that was under
// way, whole. A kill counts if every thread had acknowledged something since the program started.
// Other kills come during opening and recovery and must do no harm either.
//
// The keystore is the one that the target is built for. An index on disk gets small buffers, so
// that it changes nearly all the time. After a kill it must not be rebuilt and must have lost
// nothing. It must often be behind the log, so that replay is tested too.
//
// RUMCASK_FULL=1 kills ten times as often.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "keystores/by_name.h"
#include "tests/kill/writers_fixture.h"
#include "tests/workloads/writer_operations.h"

namespace rumcask {
namespace {

class WritersKillTest : public WritersFixture, public testing::WithParamInterface<AppendMode> {
 protected:
  WritersKillTest() : WritersFixture(OperationOf) {}
};

INSTANTIATE_TEST_SUITE_P(AppendModes, WritersKillTest,
                         testing::Values(AppendMode::kMapped, AppendMode::kWrite),
                         [](const auto& param) {
                           return param.param == AppendMode::kMapped ? "Mapped" : "Write";
                         });

TEST_P(WritersKillTest, WhatWasAcknowledgedIsThere) {
  const bool on_disk = KeystoreByName(RUMCASK_TESTED_KEYSTORE)->traits.persistent;
  const int wanted = (on_disk ? 50 : 30) * (std::getenv("RUMCASK_FULL") != nullptr ? 10 : 1);
  // The files only grow, so a new database begins every few rounds.
  constexpr int kRoundsPerDatabase = 10;
  constexpr uint64_t kThoroughEvery = 4;
  std::mt19937_64 random(GetParam() == AppendMode::kMapped ? 1 : 2);
  int rounds = 0, landed = 0;
  for (; landed < wanted; ++rounds) {
    ASSERT_LT(rounds, 10 * wanted) << "only " << landed << " kills fell among writes";
    SCOPED_TRACE(absl::StrCat("round ", rounds));
    if (rounds % kRoundsPerDatabase == 0) BeginAnew();
    const bool lands = Round({RUMCASK_TESTED_KEYSTORE, GetParam(), "spread", LengthOf(random())});
    if (lands) ++landed;
    const bool read_only = random() % 2 == 0;
    NoteOpening(lands, read_only);
    const ReadMode read_mode = random() % 2 == 0 ? ReadMode::kMapped : ReadMode::kPread;
    Check(read_only, read_mode, random() % kThoroughEvery == 0, RUMCASK_TESTED_KEYSTORE);
    if (HasFailure()) return;
  }
  std::printf(
      "%d kills, %d of them after each thread had acknowledged; %llu operations "
      "acknowledged and present, %llu present but not acknowledged; all keys walked %d times\n",
      rounds, landed, static_cast<unsigned long long>(operations_),
      static_cast<unsigned long long>(unacknowledged_), thorough_);
  EXPECT_GT(thorough_, 0);
  if (!on_disk) return;
  std::printf("%d kills found the index behind the log, %d of them further than the time before\n",
              behind_, advanced_);
  EXPECT_GT(behind_, 0);
  EXPECT_GT(advanced_, 0);
}

}  // namespace
}  // namespace rumcask
