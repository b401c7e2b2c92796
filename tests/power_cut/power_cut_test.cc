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

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "keystores/by_name.h"
#include "tests/kill/child.h"
#include "tests/kill/scratch_directory.h"
#include "tests/power_cut/cut_disk.h"
#include "tests/power_cut/cut_mount.h"
#include "tests/power_cut/writer_report.h"

namespace rumcask {
namespace {

class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_, O_CLOEXEC) != 0) std::abort();
  }
  ~Pipe() {
    ::close(ends_[0]);
    CloseWriter();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void CloseWriter() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  int ends_[2];
};

class PowerCutTest : public testing::TestWithParam<std::string> {
 protected:
  static void SetUpTestSuite() { CutMount::KeepPrivate(); }

  void SetUp() override {
    ASSERT_EQ(::mkdir(mount_point_.c_str(), 0700), 0);
    const auto mount = CutMount::Mount(disk_.get(), mount_point_);
    if (!mount.ok()) {
      std::printf("SKIPPED: no power cuts: %s\n", std::string(mount.status().message()).c_str());
      GTEST_SKIP() << mount.status();
    }
  }

  void BeginAnew() {
    mount_.reset();
    disk_ = std::make_unique<CutDisk>();
    synced_ = written_ = indexed_ = least_ = 0;
    by_ = Voucher::kNobody;
    unopened_ = 0;
  }
  // How a writer's life ends: by a power cut at the `cut_at`-th change to the disk, by a kill at
  // the `kill_at`-th report, or, if both are 0, by a clean end.
  struct End {
    uint64_t cut_at = 0;
    uint64_t kill_at = 0;
  };
  // Runs one writer until its end and judges it.
  void Round(const std::string& keystore, uint64_t segment_bytes, const End& end);
  void Chain(const std::vector<std::string>& keystores, int crashes);
  // Reads the writer's reports until it ends, the power is cut, or `most` reports have come.
  void Listen(int reports, int power, uint64_t most);
  void Note(const WriterReport& report);
  std::string Log() const;
  // Whether the writer died by an assertion of RocksDB. Debian builds it with assertions, one of
  // which fails if RocksDB writes again after an error. Without assertions that write returns the
  // error.
  bool RocksdbAsserted() const {
    return Log().find("AssertFalseAndGetStatusForPrevError") != std::string::npos;
  }

  const ScratchDirectory scratch_;
  const std::string mount_point_ = scratch_.Path("mount");
  std::mt19937_64 random_{1};
  std::unique_ptr<CutDisk> disk_ = std::make_unique<CutDisk>();
  std::unique_ptr<CutMount> mount_;  // kept after a kill, so that the page cache survives

  // What is known of the database.
  uint64_t synced_ = 0;            // operations through this one survive a power cut
  Voucher by_ = Voucher::kNobody;  // who vouched for synced_
  uint64_t least_ = 0;             // operations through this one must be there at the next opening
  uint64_t written_ = 0;           // the last operation that has returned
  uint64_t indexed_ = 0;           // the index is durably up to date through this version
  int unopened_ = 0;  // consecutive writers that ended before they had opened the database

  // What is known of the current round.
  bool opened_ = false;
  uint64_t first_ = 0;  // the number of operations that the writer found

  int kills_ = 0;
  int cuts_ = 0;
  int cuts_opening_ = 0;  // cuts before the database was open
  int lossy_ = 0;         // cuts that lost operations which had returned
  int behind_ = 0;        // cuts that left the index behind the log
  int rebuilt_ = 0;       // cuts that left no index
  int torn_ = 0;          // of them, those that tore RocksDB's MANIFEST
  uint64_t operations_ = 0;
  uint64_t changes_ = 0;
};

// A cut between RocksDB's writing to its MANIFEST and the fsync may leave a part of what was
// written, and RocksDB does not take that for an end.
bool IsTornManifestOfRocksdb(const std::string& log) {
  const size_t last = log.rfind("built anew: ");
  if (last == std::string::npos) return false;
  return log.find("Corruption: checksum mismatch", last) != std::string::npos &&
         log.find("/rocksdb/MANIFEST-", last) != std::string::npos;
}

std::string PowerCutTest::Log() const {
  std::ifstream log(scratch_.Path("log"));
  return {std::istreambuf_iterator<char>(log), std::istreambuf_iterator<char>()};
}

void PowerCutTest::Note(const WriterReport& report) {
  switch (report.what) {
    case WriterReport::kOpened:
      ASSERT_GE(report.number, synced_) << "vouched for by " << VoucherName(by_);
      ASSERT_LE(report.number, written_ + 1);
      opened_ = true;
      if (report.number < written_) ++lossy_;
      first_ = written_ = report.number;
      break;
    case WriterReport::kBehind:
      if (report.number > 0) ++behind_;
      break;
    case WriterReport::kRebuilt:
      ++rebuilt_;
      if (IsTornManifestOfRocksdb(Log())) {
        // Seldom: otherwise something else loses it.
        ASSERT_LE(++torn_, 2 + cuts_ / 30) << Log();
        indexed_ = 0;
        break;
      }
      // Only a cut during the creation of the first index may leave an incomplete one.
      ASSERT_EQ(indexed_, 0u) << Log();
      break;
    case WriterReport::kIndexed:
      ASSERT_GE(report.number, indexed_) << "the index has lost what it had";
      indexed_ = report.number;
      break;
    case WriterReport::kSynced:
      if (report.number > synced_) {
        synced_ = report.number;
        by_ = report.by;
      }
      written_ = std::max(written_, report.number);
      break;
    case WriterReport::kWritten:
      written_ = report.number;
      break;
  }
}

void PowerCutTest::Listen(int reports, int power, uint64_t most) {
  pollfd sources[] = {{reports, POLLIN, 0}, {power, POLLIN, 0}};
  uint64_t told = 0;
  while (told < most) {
    if (::poll(sources, std::size(sources), -1) < 0) continue;
    if (sources[0].revents != 0) {
      // Each report is written atomically, and the buffer holds a whole number of them.
      WriterReport buffer[256];
      const ssize_t got = ::read(reports, buffer, sizeof buffer);
      if (got <= 0) return;
      const size_t count = static_cast<size_t>(got) / sizeof *buffer;
      told += count;
      for (size_t i = 0; i < count; ++i) {
        Note(buffer[i]);
        if (HasFatalFailure()) return;
      }
    } else if (sources[1].revents != 0) {
      return;
    }
  }
}

void PowerCutTest::Round(const std::string& keystore, uint64_t segment_bytes, const End& end) {
  Pipe reports, power;
  opened_ = false;
  // After two writers that did not open the database, the next one takes the index for one that
  // crashes its opener, and rebuilds it.
  if (unopened_ >= 2) indexed_ = 0;
  if (end.cut_at > 0) {
    disk_->CutAt(end.cut_at, random_() % 2 == 0,
                 [&power] { EXPECT_EQ(::write(power.writer(), "", 1), 1); });
  }
  if (mount_ == nullptr) {
    auto mount = CutMount::Mount(disk_.get(), mount_point_);
    ASSERT_TRUE(mount.ok()) << mount.status();
    mount_ = std::move(*mount);
  }
  const bool ends = end.cut_at == 0 && end.kill_at == 0;
  Child writer({"tests/power_cut/writer", mount_point_ + "/db", keystore,
                random_() % 2 == 0 ? "mapped" : "write", absl::StrCat(segment_bytes),
                absl::StrCat(least_), absl::StrCat(written_ + 1), absl::StrCat(ends ? 200 : 0)},
               scratch_.Path("log"), {reports.writer()});
  reports.CloseWriter();
  constexpr uint64_t kAll = UINT64_MAX;
  Listen(reports.reader(), power.reader(), end.kill_at > 0 ? end.kill_at : kAll);
  // Reports from before the kill count too, so the rest of the pipe is read.
  if (disk_->cut() || end.kill_at > 0) writer.Kill();
  if (!HasFatalFailure()) Listen(reports.reader(), -1, kAll);
  if (HasFatalFailure()) writer.Kill();
  const int status = writer.Wait();
  if (HasFatalFailure()) {
    mount_.reset();
    return;
  }

  operations_ += opened_ ? written_ - first_ : 0;
  unopened_ = opened_ ? 0 : unopened_ + 1;
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (end.kill_at > 0) {
    ++kills_;
    ASSERT_EQ(signal, SIGKILL) << status << " " << Log();
    if (opened_) least_ = written_;
    return;
  }
  mount_.reset();
  changes_ += disk_->changes();
  if (ends) {
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << Log();
  } else {
    ASSERT_TRUE(disk_->cut()) << "the writer ended by itself: " << status << " " << Log()
                              << "; vouched for by " << VoucherName(by_);
    ++cuts_;
    if (!opened_) ++cuts_opening_;
    // The writer may notice that the disk is gone: by an error, or by SIGBUS from a mapping.
    const bool expected = signal == SIGKILL || signal == SIGBUS ||
                          (signal == SIGABRT && RocksdbAsserted()) ||
                          (signal == 0 && WEXITSTATUS(status) == 1);
    ASSERT_TRUE(expected) << status << " " << Log() << "; vouched for by " << VoucherName(by_);
  }
  least_ = synced_;
  disk_ = disk_->AfterCut(&random_);
}

void PowerCutTest::Chain(const std::vector<std::string>& keystores, int crashes) {
  const int before = cuts_ + kills_;
  BeginAnew();
  while (cuts_ + kills_ < before + crashes) {
    SCOPED_TRACE(absl::StrCat("crash ", cuts_ + kills_ - before));
    // If the keystore can change, the next index may be behind the last one.
    if (keystores.size() > 1) indexed_ = 0;
    End end;
    const uint64_t kind = random_() % 8;
    if (kind < 4) end.cut_at = 1 + random_() % (random_() % 3 == 0 ? 24 : 500);
    if (kind >= 4 && kind < 7) end.kill_at = 1 + random_() % (random_() % 3 == 0 ? 3 : 150);
    Round(keystores[random_() % keystores.size()], 4096 * (1 + random_() % 2), end);
    if (HasFailure()) return;
  }
  mount_.reset();
}

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
  const int wanted = std::getenv("RUMCASK_FULL") != nullptr ? 500 : 60;
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
    Chain({GetParam()}, full ? 300 : 60);
  }
  std::printf("%s: %d power cuts and %d kills in chains\n", GetParam().c_str(), cuts_, kills_);
}

class ChangingKeystoreTest : public PowerCutTest {};

INSTANTIATE_TEST_SUITE_P(Keystores, ChangingKeystoreTest, testing::Values("any"));

TEST_P(ChangingKeystoreTest, WhatWasVouchedForIsThereAfterChainsOfCrashes) {
  const bool full = std::getenv("RUMCASK_FULL") != nullptr;
  for (int chains = full ? 20 : 1; chains > 0 && !HasFailure(); --chains) {
    Chain(KeystoreNames(), full ? 300 : 60);
  }
  std::printf("changing: %d power cuts and %d kills in chains\n", cuts_, kills_);
}

}  // namespace
}  // namespace rumcask
