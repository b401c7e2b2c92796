// Power cuts below the real kernel while the database compacts.
//
// The writers overwrite and delete the same keys in tiny segments, so that segments are emptied,
// written and removed all the time; in some lives another thread calls CompactSome or CompactAll as
// well. All lives of a test are on one directory, so that what a cut leaves of one compaction is
// what the next one works on. The next writer finds the state after a prefix of the operations, or
// says what is wrong with it; see power_cut_test.cc.
//
// RUMCASK_FULL=1 cuts far more often.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "keystores/by_name.h"
#include "tests/power_cut/power_cut_fixture.h"

namespace rumcask {
namespace {

class CompactionCutTest : public PowerCutTest {
 protected:
  // Lives of writers with the keystore, or with any if it is empty, until so many power cuts.
  void CutOften(const std::string& keystore, int cuts);

 private:
  std::string AnyWork();
  End AnyEnd();
};

std::string CompactionCutTest::AnyWork() {
  const char* const kWorks[] = {"churn", "churn", "churn-some", "churn-all"};
  return kWorks[random_() % 4];
}

PowerCutTest::End CompactionCutTest::AnyEnd() {
  End end;
  const uint64_t kind = random_() % 10;
  if (kind < 8) {
    // The early ones fall into opening and the first write, which commits what was found and
    // removes what a compaction has left.
    end.cut_at = 1 + random_() % (kind < 2 ? 20 : 1500);
  } else if (kind == 8) {
    end.kill_at = 1 + random_() % 400;
  }
  return end;
}

void CompactionCutTest::CutOften(const std::string& keystore, int cuts) {
  int lives = 0, retiring = 0, in_job = 0;
  uint64_t retired = 0;
  BeginAnew();
  while (cuts_ < cuts) {
    SCOPED_TRACE(absl::StrCat("cut ", cuts_));
    // If the keystore can change, the next index may be behind the last one.
    if (keystore.empty()) indexed_ = 0;
    const std::vector<std::string> names =
        keystore.empty() ? KeystoreNames() : std::vector<std::string>{keystore};
    const End end = AnyEnd();
    Round(names[random_() % names.size()], uint64_t{4096} << random_() % 3, end, AnyWork());
    if (HasFailure()) return;
    if (!opened_) continue;
    ++lives;
    retired += retired_;
    if (retired_ > 0) ++retiring;
    if (end.cut_at > 0 && compacting_) ++in_job;
  }
  mount_.reset();
  std::printf(
      "%s: %d power cuts and %d kills, %d of the cuts before the database was open and %d while it "
      "was compacting; %d of the %d other lives retired segments, %llu in all; %llu operations\n",
      GetParam().c_str(), cuts_, kills_, cuts_opening_, in_job, retiring, lives,
      static_cast<unsigned long long>(retired), static_cast<unsigned long long>(operations_));
  EXPECT_GT(retired, static_cast<uint64_t>(cuts));
  EXPECT_GT(lossy_, 0);
}

INSTANTIATE_TEST_SUITE_P(Keystores, CompactionCutTest, testing::ValuesIn(KeystoreNames()),
                         [](const auto& param) { return param.param; });

TEST_P(CompactionCutTest, WhatWasVouchedForIsThere) {
  CutOften(GetParam(), std::getenv("RUMCASK_FULL") != nullptr ? 500 : 30);
}

class ChangingKeystoreCutTest : public CompactionCutTest {};

INSTANTIATE_TEST_SUITE_P(Keystores, ChangingKeystoreCutTest, testing::Values("any"));

TEST_P(ChangingKeystoreCutTest, WhatWasVouchedForIsThere) {
  CutOften("", std::getenv("RUMCASK_FULL") != nullptr ? 500 : 30);
}

}  // namespace
}  // namespace rumcask
