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

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/check/verify.h"
#include "core/damage.h"
#include "core/db.h"
#include "core/stats.h"
#include "keystores/by_name.h"
#include "tests/kill/child.h"
#include "tests/kill/scratch_directory.h"
#include "tests/oracle/numbered_writes.h"
#include "tests/oracle/operations.h"
#include "tests/workloads/writer_operations.h"

namespace rumcask {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// A pipe for each writer and the last number that came through it.
class Acknowledgements {
 public:
  explicit Acknowledgements(const std::array<uint64_t, kWriters>& done) : last_(done) {
    for (int i = 0; i < kWriters; ++i) readers_.push_back({NewPipe(), POLLIN, 0});
    opening_ = NewPipe();
  }
  ~Acknowledgements() {
    CloseWriters();
    for (const pollfd& reader : readers_) ::close(reader.fd);
    ::close(opening_);
  }
  Acknowledgements(const Acknowledgements&) = delete;
  Acknowledgements& operator=(const Acknowledgements&) = delete;

  const std::vector<int>& writers() const { return writers_; }
  // Closes our write ends, so that the pipes end when the child does.
  void CloseWriters() {
    for (int writer : writers_) ::close(writer);
    writers_.clear();
  }

  // Waits until the child is about to open the database, or has ended.
  void AwaitOpening() const {
    char none;
    while (::read(opening_, &none, 1) < 0 && errno == EINTR) {
    }
  }

  // Reads acknowledgements until `until`. Returns false once all pipes have ended.
  bool ReadUntil(Clock::time_point until) {
    while (open_ > 0) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
      if (left.count() <= 0) return true;
      if (::poll(readers_.data(), readers_.size(), static_cast<int>(left.count())) <= 0) continue;
      for (int i = 0; i < kWriters; ++i) {
        if (readers_[static_cast<size_t>(i)].revents != 0) Read(static_cast<size_t>(i));
      }
    }
    return false;
  }

  // The number of the last operation acknowledged.
  uint64_t last(int writer) const { return last_[static_cast<size_t>(writer)]; }

 private:
  // Makes a pipe and returns its read end.
  int NewPipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    writers_.push_back(ends[1]);
    return ends[0];
  }

  void Read(size_t i) {
    // An 8-byte write to a pipe is atomic, and the buffer holds a whole number of them.
    uint64_t numbers[512];
    const ssize_t got = ::read(readers_[i].fd, numbers, sizeof(numbers));
    if (got <= 0) {
      ::close(readers_[i].fd);
      readers_[i].fd = -1;  // poll ignores negative descriptors
      --open_;
      return;
    }
    for (size_t k = 0; k < static_cast<size_t>(got) / sizeof(uint64_t); ++k) {
      EXPECT_EQ(numbers[k], last_[i] + 1) << "writer " << i;
      last_[i] = numbers[k];
    }
  }

  std::vector<pollfd> readers_;
  std::vector<int> writers_;
  std::array<uint64_t, kWriters> last_;
  int opening_ = -1;
  int open_ = kWriters;
};

// The child's keystore, but with large buffers, so that the checks do not change the index.
KeystoreFactory TestedKeystore() { return KeystoreByName(RUMCASK_TESTED_KEYSTORE).value(); }

class WritersKillTest : public testing::TestWithParam<AppendMode> {
 protected:
  // Starts the writers where they stopped, kills them and reads their acknowledgements. Returns
  // whether each of them had acknowledged something.
  bool Round(uint64_t bits);
  // Checks what the database holds.
  void Check(bool read_only, ReadMode read_mode, bool thorough);
  void CheckWriter(DB* db, int writer);
  // Checks the index of an on-disk keystore.
  void CheckIndex(const Stats& stats);
  // Walks over all keys, and compares the index with the log.
  void CheckAllKeys(DB* db, size_t keys);
  // The output of the writers.
  std::string Log() const {
    std::ifstream log(scratch_.Path("log"));
    return {std::istreambuf_iterator<char>(log), std::istreambuf_iterator<char>()};
  }
  void BeginAnew() {
    fs::remove_all(db_);
    done_.fill(0);
    writes_ = FromTheBeginning();
    position_ = 0;
    unopened_ = 0;
  }

  const ScratchDirectory scratch_;
  const std::string db_ = scratch_.Path("db");
  static std::vector<NumberedWrites> FromTheBeginning() {
    std::vector<NumberedWrites> all;
    for (int writer = 0; writer < kWriters; ++writer) {
      all.emplace_back([writer](uint64_t n) { return OperationOf(writer, n).changes; });
    }
    return all;
  }

  // For each writer, the last operation known to be in the database, and the writer's keys after
  // it.
  std::array<uint64_t, kWriters> done_ = {};
  std::vector<NumberedWrites> writes_ = FromTheBeginning();
  // The last operation that each writer has acknowledged.
  std::array<uint64_t, kWriters> acknowledged_ = {};
  uint64_t operations_ = 0;
  uint64_t unacknowledged_ = 0;  // operations found although they were not acknowledged
  // The highest version through which an index on disk was known to be up to date.
  uint64_t position_ = 0;
  // The number of consecutive processes that may have been killed while opening the index. After
  // two of them the next process takes the index for one that crashes its opener, and rebuilds it.
  int unopened_ = 0;
  int behind_ = 0;    // kills that found the index behind the log
  int advanced_ = 0;  // those of them that found it further than the time before
  int thorough_ = 0;  // checks of all keys
};

bool WritersKillTest::Round(uint64_t bits) {
  Acknowledgements acknowledgements(done_);
  std::vector<std::string> arguments = {"tests/kill/writers", db_, RUMCASK_TESTED_KEYSTORE,
                                        GetParam() == AppendMode::kMapped ? "mapped" : "write"};
  for (uint64_t done : done_) arguments.push_back(absl::StrCat(done + 1));
  Child child(arguments, scratch_.Path("log"), acknowledgements.writers());
  acknowledgements.CloseWriters();
  // A quarter of the kills are aimed at opening and recovery.
  const bool early = bits % 4 == 0;
  const std::chrono::microseconds life(early ? bits / 4 % 20'000 : 20'000 + bits / 4 % 150'000);
  acknowledgements.AwaitOpening();
  acknowledgements.ReadUntil(Clock::now() + life);
  child.Kill();
  while (acknowledgements.ReadUntil(Clock::now() + std::chrono::seconds(1))) {
  }
  const int status = child.Wait();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
      << "the writers ended by themselves: " << Log();
  bool all = true;
  for (int i = 0; i < kWriters; ++i) {
    const size_t at = static_cast<size_t>(i);
    acknowledged_[at] = acknowledgements.last(i);
    operations_ += acknowledged_[at] - done_[at];
    all = all && acknowledged_[at] > done_[at];
  }
  return all;
}

void WritersKillTest::Check(bool read_only, ReadMode read_mode, bool thorough) {
  const absl::StatusOr<VerifyReport> report = VerifyFiles(db_);
  if (absl::IsNotFound(report.status())) {
    // The program was killed before there was a database.
    ASSERT_EQ(acknowledged_, (std::array<uint64_t, kWriters>{}));
    return;
  }
  ASSERT_TRUE(report.ok()) << report.status();
  for (const Damage& damage : report->damages) ADD_FAILURE() << DamageStatus(damage);
  Options options;
  options.read_mode = read_mode;
  options.keystore = TestedKeystore();
  const bool on_disk = options.keystore->traits.persistent;
  auto db = read_only ? DB::OpenReadOnly(db_, options) : DB::Open(db_, options);
  if (read_only && on_disk && position_ == 0 && absl::IsFailedPrecondition(db.status())) {
    // The program was killed before there was an index. A read-only opening does not create one.
    db = DB::Open(db_, options);
  }
  ASSERT_TRUE(db.ok()) << db.status();
  const Stats stats = (*db)->GetStats();
  if (on_disk) CheckIndex(stats);
  size_t keys = 0;
  for (int i = 0; i < kWriters; ++i) {
    CheckWriter(db->get(), i);
    keys += writes_[static_cast<size_t>(i)].state().size();
  }
  if (stats.keys_exact) {
    EXPECT_EQ((*db)->KeyCount(), keys);
  }
  EXPECT_EQ(report->keys, keys);
  if (thorough) CheckAllKeys(db->get(), keys);
  const absl::Status status = (*db)->Close();
  EXPECT_TRUE(status.ok()) << status;
}

void WritersKillTest::CheckIndex(const Stats& stats) {
  // A kill while the first index was created may leave it incomplete.
  if (position_ > 0) {
    EXPECT_EQ(stats.index_rebuilt, "");
  }
  EXPECT_GE(stats.index_version, position_) << "the index has lost what it had, of a log up to "
                                            << stats.recovery.last_version << ". " << Log();
  if (stats.index_version < stats.recovery.last_version) {
    ++behind_;
    if (stats.index_version > position_) ++advanced_;
  }
  position_ = stats.index_version;
}

void WritersKillTest::CheckAllKeys(DB* db, size_t keys) {
  ++thorough_;
  const absl::StatusOr<VerifyReport> report = db->Verify();
  ASSERT_TRUE(report.ok()) << report.status();
  for (const Damage& damage : report->damages) ADD_FAILURE() << DamageStatus(damage);
  EXPECT_EQ(report->keys, keys);
  State walked;
  const absl::Status read = ReadAll(db, &walked, TestedKeystore().traits.ordered);
  ASSERT_TRUE(read.ok()) << read;
  State expected;
  for (const NumberedWrites& writes : writes_) {
    expected.insert(writes.state().begin(), writes.state().end());
  }
  EXPECT_TRUE(walked == expected) << walked.size() << " keys, not " << expected.size();
}

void WritersKillTest::CheckWriter(DB* db, int writer) {
  State found;
  std::string value;
  for (uint64_t i = 0; i < kKeysPerWriter; ++i) {
    const absl::Status status = db->Get(WriterKey(writer, i), &value);
    if (absl::IsNotFound(status)) continue;
    ASSERT_TRUE(status.ok()) << status;
    found[WriterKey(writer, i)] = value;
  }
  // If the operation under way left no trace, or would change nothing, the next run repeats it.
  NumberedWrites& writes = writes_[static_cast<size_t>(writer)];
  const uint64_t acknowledged = acknowledged_[static_cast<size_t>(writer)];
  const std::string wrong = writes.GoOnTo(found, acknowledged, acknowledged + 1);
  EXPECT_EQ(wrong, "") << "writer " << writer << " has acknowledged operation " << acknowledged;
  unacknowledged_ += writes.count() - acknowledged;
  done_[static_cast<size_t>(writer)] = writes.count();
}

INSTANTIATE_TEST_SUITE_P(AppendModes, WritersKillTest,
                         testing::Values(AppendMode::kMapped, AppendMode::kWrite),
                         [](const auto& param) {
                           return param.param == AppendMode::kMapped ? "Mapped" : "Write";
                         });

TEST_P(WritersKillTest, WhatWasAcknowledgedIsThere) {
  const bool on_disk = TestedKeystore().traits.persistent;
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
    const bool lands = Round(random());
    if (lands) ++landed;
    const bool read_only = random() % 2 == 0;
    // The killed program, or the opening in Check, may have rebuilt the index.
    if (unopened_ + (lands ? 0 : 1) >= 2) position_ = 0;
    // A successful opening for writing, here in Check, ends the sequence.
    unopened_ = lands || !read_only ? 0 : unopened_ + 1;
    const ReadMode read_mode = random() % 2 == 0 ? ReadMode::kMapped : ReadMode::kPread;
    Check(read_only, read_mode, random() % kThoroughEvery == 0);
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
