// Power cuts under the real system: a writing program on a file system of ours, whose disk loses at
// a cut what was not synced. It sees what LMDB and RocksDB do to their files, not only what core
// does to the log, and what the system's page cache makes of it.
//
// After each cut the next writer judges what is there (writer_main.cc): a prefix of all operations
// with everything that was synced, the same by a walk, by Get and by Verify. The index must be as
// far as it was known to be for good, without having been built anew: it never runs ahead of the
// log. Cuts fall into opening, recovery and the making of a database too.
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

class PowerCutTest : public testing::TestWithParam<const char*> {
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
    disk_ = std::make_unique<CutDisk>();
    synced_ = written_ = indexed_ = 0;
    unopened_ = 0;
  }
  // Lets a writer live until the `cut_at`-th change to the disk; with 0, until it has ended.
  void Round(uint64_t cut_at);
  // Takes what the writer tells until it ends or the power is cut.
  void Listen(int reports, int power);
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

  // Of the database: operations that survive a power cut, and those that were begun at most;
  // through which version the index is up to date for good.
  uint64_t synced_ = 0;
  uint64_t written_ = 0;
  uint64_t indexed_ = 0;
  // Writers in a row that were cut off before they had opened it.
  int unopened_ = 0;
  // Of the round.
  bool opened_ = false;
  uint64_t first_ = 0;

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
      ASSERT_GE(report.number, synced_);
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
      synced_ = report.number;
      [[fallthrough]];
    case WriterReport::kWritten:
      written_ = report.number;
      break;
  }
}

void PowerCutTest::Listen(int reports, int power) {
  pollfd sources[] = {{reports, POLLIN, 0}, {power, POLLIN, 0}};
  while (true) {
    if (::poll(sources, std::size(sources), -1) < 0) continue;
    if (sources[0].revents != 0) {
      // Reports are written in one piece each, and the buffer holds a multiple of them.
      WriterReport buffer[256];
      const ssize_t got = ::read(reports, buffer, sizeof buffer);
      if (got <= 0) return;
      for (size_t i = 0; i < static_cast<size_t>(got) / sizeof *buffer; ++i) {
        Note(buffer[i]);
        if (HasFatalFailure()) return;
      }
    } else if (sources[1].revents != 0) {
      return;
    }
  }
}

void PowerCutTest::Round(uint64_t cut_at) {
  Pipe reports, power;
  opened_ = false;
  // The writer takes it for an index that can't be opened.
  if (unopened_ >= 2) indexed_ = 0;
  if (cut_at > 0) {
    disk_->CutAt(cut_at, random_() % 2 == 0,
                 [&power] { EXPECT_EQ(::write(power.writer(), "", 1), 1); });
  }
  auto mount = CutMount::Mount(disk_.get(), mount_point_);
  ASSERT_TRUE(mount.ok()) << mount.status();
  const uint64_t count = cut_at > 0 ? 0 : 200;
  Child writer({"tests/power_cut/writer", mount_point_ + "/db", GetParam(),
                random_() % 2 == 0 ? "mapped" : "write", absl::StrCat(synced_),
                absl::StrCat(written_ + 1), absl::StrCat(count)},
               scratch_.Path("log"), {reports.writer()});
  reports.CloseWriter();
  Listen(reports.reader(), power.reader());
  // What it had told before it was killed counts too.
  if (disk_->cut()) writer.Kill();
  if (!HasFatalFailure()) Listen(reports.reader(), -1);
  if (HasFatalFailure()) writer.Kill();
  const int status = writer.Wait();
  mount->reset();
  if (HasFatalFailure()) return;

  operations_ += opened_ ? written_ - first_ : 0;
  changes_ += disk_->changes();
  if (cut_at == 0) {
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << Log();
  } else {
    ASSERT_TRUE(disk_->cut()) << "the writer ended by itself: " << status << " " << Log();
    ++cuts_;
    if (!opened_) ++cuts_opening_;
    unopened_ = opened_ ? 0 : unopened_ + 1;
    // It may have noticed that the disk is gone: by an error, or where it read from a mapping.
    const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    const bool expected = signal == SIGKILL || signal == SIGBUS ||
                          (signal == SIGABRT && RocksdbAsserted()) ||
                          (signal == 0 && WEXITSTATUS(status) == 1);
    ASSERT_TRUE(expected) << status << " " << Log();
  }
  disk_ = disk_->AfterCut(&random_);
}

INSTANTIATE_TEST_SUITE_P(Keystores, PowerCutTest, testing::Values("hash", "lmdb", "rocksdb"),
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
    Round(last ? 0 : 1 + random_() % (random_() % 3 == 0 ? kEarly : kLate));
    if (HasFailure()) return;
  }
  std::printf(
      "%s: %d power cuts, %d of them before the database was open; %d took unsynced operations, "
      "%d left the index behind the log, %d left none; %llu operations, %llu changes to the disk\n",
      GetParam(), cuts_, cuts_opening_, lossy_, behind_, rebuilt_,
      static_cast<unsigned long long>(operations_), static_cast<unsigned long long>(changes_));
  EXPECT_GT(cuts_, cuts_opening_);
  EXPECT_GT(lossy_, 0);
  if (GetParam() != std::string("hash")) {
    EXPECT_GT(behind_, 0);
  }
}

}  // namespace
}  // namespace rumcask
