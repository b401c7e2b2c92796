// Runs chains of kills and power cuts on one directory.
//
// With RUMCASK_FULL=1 each kind of chain must survive 5,000 power cuts. RUMCASK_CHAIN_SEED sets the
// first seed. After a violation, the files that the last crashes left are written to
// TEST_UNDECLARED_OUTPUTS_DIR, if that is set.

#include "tests/crash/chain.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace rumcask {
namespace {

uint64_t FirstSeed() {
  const char* const text = std::getenv("RUMCASK_CHAIN_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

void Keep(const Chain& chain) {
  const char* const directory = std::getenv("TEST_UNDECLARED_OUTPUTS_DIR");
  if (directory == nullptr) return;
  int number = 0;
  for (const Chain::Found& found : chain.History()) {
    const std::filesystem::path to = absl::StrCat(directory, "/opening", ++number);
    std::filesystem::create_directories(to);
    std::ofstream(to / "how") << found.how << "\n";
    for (const auto& [name, bytes] : found.files) {
      if (name.back() == '/') continue;
      std::filesystem::create_directories((to / name).parent_path());
      std::ofstream(to / name, std::ios::binary) << bytes;
    }
  }
}

// Runs chains of one kind until they have made `cuts` power cuts.
void RunChains(ChainOptions options, int cuts) {
  if (std::getenv("RUMCASK_FULL") != nullptr) cuts = 5000;
  ChainReport total;
  options.seed = FirstSeed();
  int chains = 0;
  for (; total.cuts < cuts; ++options.seed, ++chains) {
    Chain chain(options);
    const ChainReport report = chain.Run();
    if (!report.violation.empty()) {
      Keep(chain);
      FAIL() << report.violation;
    }
    total.cuts += report.cuts;
    total.kills += report.kills;
    total.closes += report.closes;
    total.lossy_cuts += report.lossy_cuts;
    total.reindexed += report.reindexed;
    total.writes += report.writes;
    total.failed_writes += report.failed_writes;
    for (const auto& [voucher, count] : report.vouched) total.vouched[voucher] += count;
  }
  std::printf(
      "%d chains: %d power cuts, %d of which took unsynced writes, %d kills, %d closes, %d "
      "openings with another keystore, %llu writes, %llu failed\n",
      chains, total.cuts, total.lossy_cuts, total.kills, total.closes, total.reindexed,
      static_cast<unsigned long long>(total.writes),
      static_cast<unsigned long long>(total.failed_writes));
  EXPECT_GT(total.lossy_cuts, 0);
  for (const Voucher voucher : {Voucher::kSyncedWrite, Voucher::kSync, Voucher::kRefusal,
                                Voucher::kStats, Voucher::kClose}) {
    std::printf("  vouched for by %s: %llu\n", VoucherName(voucher),
                static_cast<unsigned long long>(total.vouched[voucher]));
    EXPECT_GT(total.vouched[voucher], 0u) << VoucherName(voucher);
  }
}

ChainOptions Of(ChainKeystores keystores) {
  ChainOptions options;
  options.keystores = keystores;
  return options;
}

TEST(ChainTest, InMemory) { RunChains(Of(ChainKeystores::kInMemory), 900); }

TEST(ChainTest, OnDisk) { RunChains(Of(ChainKeystores::kOnDisk), 600); }

TEST(ChainTest, Reindexed) { RunChains(Of(ChainKeystores::kReindexed), 600); }

// Background threads seal segments, prepare new ones and apply buffers to the index.
TEST(ChainTest, InMemoryWithThreads) {
  ChainOptions options = Of(ChainKeystores::kInMemory);
  options.background_threads = 2;
  RunChains(options, 300);
}

TEST(ChainTest, ReindexedWithThreads) {
  ChainOptions options = Of(ChainKeystores::kReindexed);
  options.background_threads = 2;
  RunChains(options, 300);
}

// Some writes, opens and unlinks fail, and the program goes on.
TEST(ChainTest, InMemoryWithFaults) {
  ChainOptions options = Of(ChainKeystores::kInMemory);
  options.faults = true;
  RunChains(options, 600);
}

}  // namespace
}  // namespace rumcask
