// Power cuts below the real kernel: a writing program works on a FUSE file system whose disk may
// lose unsynced changes at a cut. This covers not only what core does to the log but also what LMDB
// and RocksDB do to their files, and the effects of the kernel's page cache.
//
// After each cut the next writer checks the database (writer_main.cc). It must hold a prefix of all
// operations that includes everything that was synced, and a walk, Get and Verify must agree. The
// index must be at least as far as it was known to be durable, never ahead of the log, and not
// rebuilt. Cuts also come during opening, recovery and the creation of a database.
//
// In chains, one directory with tiny segments goes through many kills and power cuts. Writes of a
// killed writer stay in the kernel's page cache, and a later cut may lose them. One test also
// changes the keystore between the lives, by reindexing.
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

bool IsPersistent(const std::string& keystore) {
  return KeystoreByName(keystore)->traits.persistent;
}

// All on-disk keystores, and the default one for all in-memory keystores, which have nothing on
// disk.
std::vector<std::string> Tested() {
  std::vector<std::string> names = {KeystoreNames().front()};
  for (const std::string& name : KeystoreNames()) {
    if (IsPersistent(name)) names.push_back(name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Keystores, PowerCutTest, testing::ValuesIn(Tested()),
                         [](const auto& param) { return param.param; });

TEST_P(PowerCutTest, WhatWasSyncedIsThere) {
  const int wanted = std::getenv("RUMCASK_FULL") != nullptr ? 500 : 30;
  constexpr int kRoundsPerDatabase = 10;
  // Opening makes some dozens of changes, so early cuts come during it.
  constexpr uint64_t kEarly = 24, kLate = 2500;
  for (int round = 0; cuts_ < wanted; ++round) {
    SCOPED_TRACE(absl::StrCat("round ", round));
    if (round % kRoundsPerDatabase == 0) BeginAnew();
    const bool last = round % kRoundsPerDatabase == kRoundsPerDatabase - 1;
    End end;
    if (!last) end.cut_at = 1 + random_() % (random_() % 3 == 0 ? kEarly : kLate);
    Round(GetParam(), uint64_t{256} << 10, end);
    if (HasFailure()) return;
  }
  std::printf(
      "%s: %d power cuts, %d of them before the database was open; %d took unsynced operations, "
      "%d left the index behind the log, %d left none; %llu operations, %llu changes to the disk\n",
      GetParam().c_str(), cuts_, cuts_opening_, lossy_, behind_, rebuilt_,
      static_cast<unsigned long long>(operations_), static_cast<unsigned long long>(changes_));
  EXPECT_GT(cuts_, cuts_opening_);
  EXPECT_GT(lossy_, 0);
  if (IsPersistent(GetParam())) {
    EXPECT_GT(behind_, 0);
  }
}

TEST_P(PowerCutTest, WhatWasVouchedForIsThereAfterChainsOfCrashes) {
  const bool full = std::getenv("RUMCASK_FULL") != nullptr;
  for (int chains = full ? 20 : 1; chains > 0 && !HasFailure(); --chains) {
    Chain({GetParam()}, full ? 300 : 40);
  }
  std::printf("%s: %d power cuts and %d kills in chains\n", GetParam().c_str(), cuts_, kills_);
}

class ChangingKeystoreTest : public PowerCutTest {};

INSTANTIATE_TEST_SUITE_P(Keystores, ChangingKeystoreTest, testing::Values("any"));

TEST_P(ChangingKeystoreTest, WhatWasVouchedForIsThereAfterChainsOfCrashes) {
  const bool full = std::getenv("RUMCASK_FULL") != nullptr;
  for (int chains = full ? 20 : 1; chains > 0 && !HasFailure(); --chains) {
    Chain(KeystoreNames(), full ? 300 : 40);
  }
  std::printf("changing: %d power cuts and %d kills in chains\n", cuts_, kills_);
}

}  // namespace
}  // namespace rumcask
