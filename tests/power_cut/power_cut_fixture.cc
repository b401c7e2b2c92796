#include "tests/power_cut/power_cut_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "tests/kill/child.h"

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

// A cut between RocksDB's writing to its MANIFEST and the fsync may leave a part of what was
// written, and RocksDB does not take that for an end.
bool IsTornManifestOfRocksdb(const std::string& log) {
  const size_t last = log.rfind("the index does not open: ");
  if (last == std::string::npos) return false;
  return log.find("Corruption: checksum mismatch", last) != std::string::npos &&
         log.find("/rocksdb/MANIFEST-", last) != std::string::npos;
}

}  // namespace

void PowerCutTest::SetUp() {
  ASSERT_EQ(::mkdir(mount_point_.c_str(), 0700), 0);
  const auto mount = CutMount::Mount(disk_.get(), mount_point_);
  if (!mount.ok()) {
    std::printf("SKIPPED: no power cuts: %s\n", std::string(mount.status().message()).c_str());
    GTEST_SKIP() << mount.status();
  }
}

void PowerCutTest::BeginAnew() {
  mount_.reset();
  disk_ = std::make_unique<CutDisk>();
  synced_ = written_ = indexed_ = least_ = 0;
  by_ = Voucher::kNobody;
  unopened_ = 0;
  lives_.clear();
}

bool PowerCutTest::RocksdbAsserted() const {
  return Log().find("AssertFalseAndGetStatusForPrevError") != std::string::npos;
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
    case WriterReport::kUnopenable:
      if (indexed_ == 0 || !IsTornManifestOfRocksdb(Log())) break;
      // Seldom: otherwise something else loses it.
      ASSERT_LE(++torn_, 2 + cuts_ / 30) << lives_ << Log();
      indexed_ = 0;
      break;
    case WriterReport::kRebuilt:
      ++rebuilt_;
      // Only a cut during the creation of the first index, or of one for a torn MANIFEST, may leave
      // an incomplete one.
      ASSERT_EQ(indexed_, 0u) << lives_ << Log();
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
    case WriterReport::kRetired:
    case WriterReport::kCompacting:
      retired_ = report.number;
      compacting_ = report.what == WriterReport::kCompacting;
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

void PowerCutTest::Round(const std::string& keystore, uint64_t segment_bytes, const End& end,
                         const std::string& work) {
  Pipe reports, power;
  opened_ = false;
  retired_ = 0;
  compacting_ = false;
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
  Child writer(
      {"tests/power_cut/writer", mount_point_ + "/db", keystore,
       random_() % 2 == 0 ? "mapped" : "write", absl::StrCat(segment_bytes), absl::StrCat(least_),
       absl::StrCat(written_ + 1), absl::StrCat(ends ? 200 : 0), work},
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

  absl::StrAppend(&lives_, "cut at ", end.cut_at, ", killed at ", end.kill_at, ", changes ",
                  disk_->changes(), ", opened ", opened_, ", indexed ", indexed_, "; ", Log(),
                  "\n");
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

}  // namespace rumcask
