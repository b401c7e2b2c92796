// One process at a time, whatever happens to LOCK and whoever has forked. With real processes.

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/check/verify.h"
#include "core/damage.h"
#include "core/db.h"
#include "core/format/limits.h"
#include "core/testing/map_keystore.h"

namespace rumcask {
namespace {

// A process that runs `body` and ends with its result. The two ends talk by single bytes.
class Process {
 public:
  explicit Process(const std::function<bool(Process*)>& body) {
    Require(::pipe2(to_child_, O_CLOEXEC) == 0 && ::pipe2(to_parent_, O_CLOEXEC) == 0);
    pid_ = ::fork();
    Require(pid_ >= 0);
    if (pid_ != 0) {
      ::close(std::exchange(to_child_[0], -1));
      ::close(std::exchange(to_parent_[1], -1));
      return;
    }
    in_child_ = true;
    ::close(std::exchange(to_child_[1], -1));
    ::close(std::exchange(to_parent_[0], -1));
    ::_exit(body(this) ? 0 : 1);
  }
  ~Process() {
    Kill();
    for (const int fd : {to_child_[0], to_child_[1], to_parent_[0], to_parent_[1]}) {
      if (fd >= 0) ::close(fd);
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }

  // Wakes the other end out of its Wait.
  void Signal() {
    const char byte = 's';
    (void)!::write(in_child_ ? to_parent_[1] : to_child_[1], &byte, 1);
  }
  // False if the other end is gone.
  bool Wait() {
    char byte;
    return ::read(in_child_ ? to_child_[0] : to_parent_[0], &byte, 1) == 1;
  }

  void Kill() {
    if (ended_) return;
    ::kill(pid_, SIGKILL);
    (void)End();
  }
  // Whether it ended by itself and was content.
  bool End() {
    int status = -1;
    while (!ended_ && ::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    ended_ = true;
    return status == 0;
  }

 private:
  static void Require(bool condition) {
    if (!condition) std::abort();
  }

  pid_t pid_ = -1;
  bool in_child_ = false;
  bool ended_ = false;
  int to_child_[2] = {-1, -1};
  int to_parent_[2] = {-1, -1};
};

class DatabaseLockTest : public testing::Test {
 protected:
  DatabaseLockTest() {
    root_ = testing::TempDir() + "/database_lock_test.XXXXXX";
    if (::mkdtemp(root_.data()) == nullptr) std::abort();
    path_ = root_ + "/db";
    options_.keystore = TestKeystore();
    options_.create_if_missing = true;
    options_.segment_bytes = kMinSegmentBytes;
  }
  ~DatabaseLockTest() override { std::filesystem::remove_all(root_); }

  std::string LockPath() const { return path_ + "/LOCK"; }
  std::string LockLine() const {
    std::ifstream file(LockPath());
    return {std::istreambuf_iterator<char>(file), {}};
  }

  absl::StatusOr<std::unique_ptr<DB>> Open() const { return DB::Open(path_, options_); }
  absl::StatusOr<std::unique_ptr<DB>> OpenReadOnly() const {
    return DB::OpenReadOnly(path_, options_);
  }
  absl::Status Put(const std::string& key) const {
    auto db = Open();
    if (!db.ok()) return db.status();
    absl::Status status = (*db)->Put(key, "value", {/*sync=*/true});
    return status.ok() ? (*db)->Close() : status;
  }
  // A process that holds the database, with `key` in it, until it is signalled, and closes it then
  // after one put more, of `key` with a '+'.
  std::unique_ptr<Process> Writer(const std::string& key) const {
    auto process = std::make_unique<Process>([&](Process* self) {
      auto db = Open();
      bool good = db.ok() && (*db)->Put(key, "value", {/*sync=*/true}).ok();
      self->Signal();
      good = self->Wait() && good;
      return good && (*db)->Put(key + "+", "value", {/*sync=*/true}).ok() && (*db)->Close().ok();
    });
    EXPECT_TRUE(process->Wait());
    return process;
  }
  std::unique_ptr<Process> Reader() const {
    auto process = std::make_unique<Process>([&](Process* self) {
      auto db = OpenReadOnly();
      self->Signal();
      return self->Wait() && db.ok() && (*db)->Close().ok();
    });
    EXPECT_TRUE(process->Wait());
    return process;
  }
  void ExpectKeys(const std::vector<std::string>& keys) const {
    auto db = Open();
    ASSERT_TRUE(db.ok()) << db.status();
    for (const std::string& key : keys) EXPECT_TRUE((*db)->Get(key).ok()) << key;
    EXPECT_EQ((*db)->KeyCount(), keys.size());
    EXPECT_TRUE((*db)->Close().ok());
    auto report = VerifyFiles(path_);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->clean()) << DamageStatus(report->damages[0]);
  }

  std::string root_, path_;
  Options options_;
};

// ---- forked children ----

TEST_F(DatabaseLockTest, AForkedChildHoldsNothingWhenItsParentIsKilled) {
  Process parent([&](Process* self) {
    auto db = Open();
    if (!db.ok() || !(*db)->Put("parent", "value").ok()) return false;
    if (::fork() == 0) {
      self->Signal();
      (void)self->Wait();  // lives on until the test has closed its end
      ::_exit(0);
    }
    for (;;) ::pause();
  });
  ASSERT_TRUE(parent.Wait());
  parent.Kill();
  ASSERT_TRUE(Put("later").ok()) << Put("later");
  ExpectKeys({"parent", "later"});
}

TEST_F(DatabaseLockTest, AForkedChildOfAReaderHoldsNothing) {
  ASSERT_TRUE(Put("key").ok());
  Process parent([&](Process* self) {
    auto db = OpenReadOnly();
    if (!db.ok()) return false;
    if (::fork() == 0) {
      self->Signal();
      (void)self->Wait();
      ::_exit(0);
    }
    for (;;) ::pause();
  });
  ASSERT_TRUE(parent.Wait());
  EXPECT_TRUE(absl::IsUnavailable(Put("early")));
  parent.Kill();
  ASSERT_TRUE(Put("later").ok()) << Put("later");
  ExpectKeys({"key", "later"});
}

// The parent goes on, and its lock holds, whatever the child does with its copy.
TEST_F(DatabaseLockTest, AForkedChildLeavesTheLockToItsParent) {
  Process parent([&](Process* self) {
    auto db = Open();
    bool good = db.ok() && (*db)->Put("before", "value").ok();
    const pid_t child = ::fork();
    if (child == 0) {
      // New files take the numbers of what was closed: destroying the copy must not close those.
      const int first = ::open("/dev/null", O_RDONLY);
      const int second = ::open("/dev/null", O_RDONLY);
      db->reset();
      const bool open = ::fcntl(first, F_GETFD) >= 0 && ::fcntl(second, F_GETFD) >= 0;
      ::_exit(open && absl::IsUnavailable(Open().status()) ? 0 : 1);
    }
    int status = -1;
    good = good && ::waitpid(child, &status, 0) == child && status == 0;
    self->Signal();
    good = self->Wait() && good;
    return good && (*db)->Put("after", "value").ok() && (*db)->Close().ok();
  });
  ASSERT_TRUE(parent.Wait());
  EXPECT_TRUE(absl::IsUnavailable(Put("second")));
  parent.Signal();
  EXPECT_TRUE(parent.End());
  ExpectKeys({"before", "after"});
}

// A child that is forked while another thread opens must not have the lock either.
TEST_F(DatabaseLockTest, ForkingBesideOpeningLeavesNoLockBehind) {
  ASSERT_TRUE(Put("key").ok());
  for (int round = 0; round < 15; ++round) {
    Process parent([&](Process* self) {
      int run[2];
      if (::pipe2(run, O_CLOEXEC) != 0) return false;
      std::atomic<bool> opened{false};
      std::atomic<int> forked{0};
      std::thread forker([&] {
        do {
          if (::fork() == 0) {
            const bool good = ::write(run[1], "r", 1) == 1 && self->Wait();
            ::_exit(good ? 0 : 1);
          }
        } while (++forked < 50 && !opened.load());
      });
      while (forked.load() == 0) std::this_thread::yield();
      auto db = Open();
      opened.store(true);
      forker.join();
      if (!db.ok()) return false;
      // A child that has not run yet has not closed anything yet.
      char byte;
      for (int i = 0; i < forked.load(); ++i) {
        if (::read(run[0], &byte, 1) != 1) return false;
      }
      self->Signal();
      for (;;) ::pause();
    });
    ASSERT_TRUE(parent.Wait());
    parent.Kill();
    const auto db = Open();
    ASSERT_TRUE(db.ok()) << "round " << round << ": " << db.status();
  }
}

// ---- LOCK removed, missing, replaced ----

TEST_F(DatabaseLockTest, RemovingLockLetsNobodyIn) {
  const auto writer = Writer("first");
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(std::filesystem::remove(LockPath()) || round > 0);
    EXPECT_TRUE(absl::IsUnavailable(Put("second")));
    EXPECT_TRUE(absl::IsUnavailable(OpenReadOnly().status()));
    EXPECT_TRUE(absl::IsUnavailable(VerifyFiles(path_).status()));
  }
  writer->Signal();
  EXPECT_TRUE(writer->End());
  ASSERT_TRUE(Put("third").ok());
  ExpectKeys({"first", "first+", "third"});
}

TEST_F(DatabaseLockTest, AKilledWriterWhoseLockWasRemovedHoldsNothing) {
  const auto writer = Writer("first");
  ASSERT_TRUE(std::filesystem::remove(LockPath()));
  writer->Kill();
  ASSERT_TRUE(Put("second").ok());
  ExpectKeys({"first", "second"});
}

TEST_F(DatabaseLockTest, ReadersWithoutLockKeepWritersOut) {
  ASSERT_TRUE(Put("key").ok());
  ASSERT_TRUE(std::filesystem::remove(LockPath()));
  const auto reader = Reader();
  EXPECT_FALSE(std::filesystem::exists(LockPath())) << "a reader writes nothing";
  EXPECT_TRUE(absl::IsUnavailable(Put("second")));
  EXPECT_TRUE(OpenReadOnly().ok()) << "readers share";
  EXPECT_TRUE(VerifyFiles(path_).ok());
  reader->Signal();
  EXPECT_TRUE(reader->End());
  ASSERT_TRUE(Put("third").ok());
  ExpectKeys({"key", "third"});
}

TEST_F(DatabaseLockTest, OpeningsBesideALockThatIsReplacedExcludeEachOther) {
  ASSERT_TRUE(Put("key").ok());
  Process replacer([&](Process* self) {
    self->Signal();
    for (int i = 0;; ++i) {
      std::ofstream(root_ + "/new") << i;
      std::filesystem::rename(root_ + "/new", LockPath());
      if (i % 3 == 0) std::filesystem::remove(LockPath());
    }
    return false;
  });
  ASSERT_TRUE(replacer.Wait());
  constexpr int kRounds = 100;
  const auto writes = [&](Process*) {
    const std::string inside = root_ + "/inside";
    for (int opened = 0; opened < kRounds;) {
      auto db = Open();
      if (absl::IsUnavailable(db.status())) continue;
      if (!db.ok()) return false;
      const int fd = ::open(inside.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600);
      if (fd < 0) return false;  // somebody else has it open
      ::close(fd);
      const bool good = (*db)->Put(absl::StrCat(::getpid(), ".", opened), "value").ok();
      ::unlink(inside.c_str());
      if (!good || !(*db)->Close().ok()) return false;
      ++opened;
    }
    return true;
  };
  Process one(writes);
  Process other(writes);
  EXPECT_TRUE(one.End());
  EXPECT_TRUE(other.End());
  replacer.Kill();
  const auto db = Open();
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_EQ((*db)->KeyCount(), 1u + 2u * kRounds);
}

// As releases did that knew nothing but LOCK.
TEST_F(DatabaseLockTest, WhoLocksNothingButLockIsRespectedAndKeptOut) {
  ASSERT_TRUE(Put("key").ok());
  const auto try_lock = [&](int kind) {
    const int fd = ::open(LockPath().c_str(), O_RDWR | O_CLOEXEC);
    const bool locked = ::flock(fd, kind | LOCK_NB) == 0;
    return std::make_pair(fd, locked);
  };
  auto [fd, locked] = try_lock(LOCK_EX);
  ASSERT_TRUE(locked);
  EXPECT_TRUE(absl::IsUnavailable(Put("second")));
  EXPECT_TRUE(absl::IsUnavailable(OpenReadOnly().status()));
  ::close(fd);
  std::tie(fd, locked) = try_lock(LOCK_SH);
  ASSERT_TRUE(locked);
  EXPECT_TRUE(absl::IsUnavailable(Put("second")));
  EXPECT_TRUE(OpenReadOnly().ok());
  ::close(fd);
  {
    const auto db = Open();
    ASSERT_TRUE(db.ok());
    std::tie(fd, locked) = try_lock(LOCK_SH);
    EXPECT_FALSE(locked);
    ::close(fd);
  }
  {
    const auto db = OpenReadOnly();
    ASSERT_TRUE(db.ok());
    std::tie(fd, locked) = try_lock(LOCK_EX);
    EXPECT_FALSE(locked);
    ::close(fd);
  }
}

// ---- who it is ----

TEST_F(DatabaseLockTest, LockNamesTheWriterWhileItHasTheDatabase) {
  const auto writer = Writer("key");
  const std::string line = LockLine();
  EXPECT_TRUE(absl::StartsWith(line, absl::StrCat("pid ", writer->pid(), " on "))) << line;
  EXPECT_TRUE(absl::StrContains(OpenReadOnly().status().message(), line));
  EXPECT_TRUE(absl::StrContains(Put("second").message(), line));
  writer->Signal();
  EXPECT_TRUE(writer->End());
  EXPECT_EQ(LockLine(), "");
}

TEST_F(DatabaseLockTest, NobodyIsNamedWhoIsDead) {
  const auto writer = Writer("key");
  const std::string line = LockLine();
  writer->Kill();
  EXPECT_EQ(LockLine(), line);
  const auto reader = Reader();
  const absl::Status status = Put("second");
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_FALSE(absl::StrContains(status.message(), "pid")) << status;
  reader->Signal();
  EXPECT_TRUE(reader->End());
  ExpectKeys({"key"});
  EXPECT_EQ(LockLine(), "");
}

// A number that was given to another process since, such as 1 in a container, names nobody.
TEST_F(DatabaseLockTest, TheAskerItselfIsNotNamed) {
  ASSERT_TRUE(Put("key").ok());
  char host[128] = "";
  ASSERT_EQ(::gethostname(host, sizeof(host) - 1), 0);
  std::ofstream(LockPath()) << "pid " << ::getpid() << " on " << host;
  const auto reader = Reader();
  const absl::Status status = Put("second");
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_FALSE(absl::StrContains(status.message(), "pid")) << status;
}

// Whether a process of another machine lives can't be asked.
TEST_F(DatabaseLockTest, AnotherMachinesLineIsRepeated) {
  ASSERT_TRUE(Put("key").ok());
  std::ofstream(LockPath()) << "pid 7 on another.machine";
  const auto reader = Reader();
  EXPECT_TRUE(absl::StrContains(Put("second").message(), "pid 7 on another.machine"));
  std::ofstream(LockPath()) << "pid 7 on \033[2Jnowhere";
  EXPECT_FALSE(absl::StrContains(Put("second").message(), "pid"));
  std::ofstream(LockPath()) << "anything";
  EXPECT_FALSE(absl::StrContains(Put("second").message(), "anything"));
}

}  // namespace
}  // namespace rumcask
