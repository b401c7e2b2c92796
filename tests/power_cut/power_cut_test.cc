// Power cuts under the real system: a writing program on a file system of ours, whose disk loses at
// a cut what was not synced. It sees what LMDB and RocksDB do to their files, not only what core
// does to the log, and what the system's page cache makes of it.
//
// After each cut the next writer judges what is there (writer_main.cc): a prefix of all operations
// with everything that was synced, the same by a walk, by Get and by Verify. The index must be as
// far as it was known to be durable, without having been built anew: it never runs ahead of the
// log. Cuts fall into opening, recovery and the making of a database too.
//
// In chains of kills and power cuts one directory goes through all of them, with tiny segments;
// what a killed writer wrote stays in the system's page cache, until a later cut takes it or not.
// There the keystores also take each other's place, by reindexing.
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
    by_ = WriterReport::kNobody;
    unopened_ = 0;
  }
  // How a writer's life ends: at the `cut_at`-th change to the disk by a power cut, or at the
  // `kill_at`-th report by a kill, or, where both are 0, of itself.
  struct End {
    uint64_t cut_at = 0;
    uint64_t kill_at = 0;
  };
  // Lets one live.
  void Round(const std::string& keystore, uint64_t segment_bytes, const End& end);
  void Chain(const std::vector<std::string>& keystores, int crashes);
  // Takes what the writer tells until it ends, the power is cut, or it has told `most` times.
  void Listen(int reports, int power, uint64_t most);
  void Note(const WriterReport& report);
  std::string Log() const;
  // Debian builds RocksDB with assertions, one of which fails where it goes on writing after an
  // error. Without it that write returns the error again.
  bool RocksdbAsserted() const {
    return Log().find("AssertFalseAndGetStatusForPrevError") != std::string::npos;
  }

  const ScratchDirectory scratch_;
  const std::string mount_point_ = scratch_.Path("mount");
  std::mt19937_64 random_{1};
  std::unique_ptr<CutDisk> disk_ = std::make_unique<CutDisk>();
  std::unique_ptr<CutMount> mount_;  // while its page cache lives

  // Of the database: operations that survive a power cut, and who said so; those that must be there
  // at the next opening, and those that were begun at most; through which version the index is
  // durably up to date.
  uint64_t synced_ = 0;
  uint64_t by_ = WriterReport::kNobody;
  uint64_t least_ = 0;
  uint64_t written_ = 0;
  uint64_t indexed_ = 0;
  // Writers in a row that were cut off before they had opened it.
  int unopened_ = 0;
  // Of the round.
  bool opened_ = false;
  uint64_t first_ = 0;

  int kills_ = 0;
  int cuts_ = 0;
  int cuts_opening_ = 0;  // before the database was open
  int lossy_ = 0;         // that took operations which had returned
  int behind_ = 0;        // that left the index behind the log
  int rebuilt_ = 0;       // that left no index
  uint64_t operations_ = 0;
  uint64_t changes_ = 0;
};

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
      // A database that is cut off while its first index is being made may have half of one.
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
      // Reports are written in one piece each, and the buffer holds a multiple of them.
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
  // The writer takes it for an index that can't be opened.
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
  // What it had told before it was killed counts too.
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
    // It may have noticed that the disk is gone: by an error, or where it read from a mapping.
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
    // What one index knew, another need not know.
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

// The default for all that are in memory, of which nothing is on the disk; and all that are there.
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
  // Opening makes some dozens of changes.
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
