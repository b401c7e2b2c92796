// A process that is killed while the disk is full, again and again, on one directory.
//
// Each process puts until the disk takes no more, deletes half of what there is, which compaction
// and the reserve of disk space make room for, and goes on until it is killed somewhere in between.
// The next one opens the database on the disk that is still full, finds all that was acknowledged
// and nothing that was deleted, and goes on in the same way.
//
// RUMCASK_FULL=1 kills ten times as often.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/check/verify.h"
#include "core/db.h"
#include "core/stats.h"
#include "keystores/by_name.h"
#include "tests/full_disk/small_disk.h"
#include "tests/kill/scratch_directory.h"

namespace rumcask {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

// What the writing process tells the one that kills it: that it begins with a key, that this is
// done, that it was refused, or that the database is not what it should be.
enum class Event : uint8_t { kBeginPut, kBeginDelete, kDone, kRefused, kFailed };

struct Report {
  Event event = Event::kDone;
  uint64_t key = 0;
};

std::string KeyOf(uint64_t number) { return absl::StrCat("key", number); }
std::string ValueOf(uint64_t number) {
  std::mt19937_64 random(number);
  return std::string(random() % 2000, static_cast<char>(random()));
}

// What the database has to hold. A write that was under way when the process was killed may have
// happened.
struct Expected {
  std::set<uint64_t> held;
  std::optional<uint64_t> unknown;
  uint64_t next = 0;
};

// The process that is killed.
class Writer {
 public:
  Writer(const std::string& path, const std::string& keystore, Expected expected, int reports)
      : path_(path), expected_(std::move(expected)), reports_(reports) {
    options_.keystore = *KeystoreByName(keystore);
    options_.keystore->buffer_bytes = kMiB;
    options_.segment_bytes = kMiB;
    options_.create_if_missing = true;
  }

  absl::Status Open() {
    absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(path_, options_);
    if (!db.ok()) return db.status();
    db_ = *std::move(db);
    return absl::OkStatus();
  }

  // Compares the database with what is expected, and learns what became of the unknown write.
  absl::Status Check() {
    std::string value;
    for (const uint64_t key : expected_.held) {
      const absl::Status status = db_->Get(KeyOf(key), &value);
      if (status.ok() ? value == ValueOf(key) : key == expected_.unknown) continue;
      return absl::DataLossError(absl::StrCat(KeyOf(key), ": ", status.ToString()));
    }
    if (const std::optional<uint64_t> key = expected_.unknown) {
      const bool held = db_->Get(KeyOf(*key), &value).ok();
      if (held && value != ValueOf(*key)) return absl::DataLossError("another value");
      Tell(held ? Event::kBeginPut : Event::kBeginDelete, *key);
      Tell(Event::kDone, *key);
      if (held) {
        expected_.held.insert(*key);
      } else {
        expected_.held.erase(*key);
      }
    }
    auto it = db_->NewIterator();
    if (!it.ok()) return it.status();
    uint64_t keys = 0;
    for (; (*it)->Valid(); (*it)->Next()) ++keys;
    if (!(*it)->status().ok()) return (*it)->status();
    if (keys == expected_.held.size()) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat(keys, " keys where there should be ", expected_.held.size()));
  }

  // Ends with an error, or by being killed.
  absl::Status FillAndDelete() {
    while (true) {
      for (int refused = 0; refused < 20;) {
        const uint64_t key = expected_.next;
        Tell(Event::kBeginPut, key);
        const absl::Status status = db_->Put(KeyOf(key), ValueOf(key));
        if (status.ok()) {
          refused = 0;
          Tell(Event::kDone, key);
          expected_.held.insert(key);
          ++expected_.next;
          continue;
        }
        if (!absl::IsResourceExhausted(status)) return status;
        Tell(Event::kRefused, key);
        ++refused;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
      bool goes = false;
      for (auto at = expected_.held.begin(); at != expected_.held.end();) {
        goes = !goes;
        if (!goes) {
          ++at;
          continue;
        }
        Tell(Event::kBeginDelete, *at);
        absl::Status status = db_->Delete(KeyOf(*at));
        if (!status.ok()) return status;
        Tell(Event::kDone, *at);
        at = expected_.held.erase(at);
      }
    }
  }

  absl::Status Verify() {
    const auto report = db_->Verify();
    if (!report.ok()) return report.status();
    return report->clean() ? absl::OkStatus() : absl::DataLossError(report->damages[0].cause);
  }

  void Tell(Event event, uint64_t key) const {
    const Report report = {event, key};
    if (::write(reports_, &report, sizeof(report)) != sizeof(report)) std::_Exit(1);
  }

 private:
  const std::string path_;
  Options options_;
  Expected expected_;
  const int reports_;
  std::unique_ptr<DB> db_;
};

class KilledWhenFullTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<SmallDisk>> disk =
        SmallDisk::Make(scratch_.Path("."), 64 * kMiB);
    if (!disk.ok()) {
      std::printf("SKIPPED: no full disks: %s\n", std::string(disk.status().message()).c_str());
      GTEST_SKIP();
    }
    disk_ = *std::move(disk);
  }

  // Starts a process and kills it after so many of its reports that follow the first refusal.
  void RunAndKill(uint64_t reports_when_full) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      Writer writer(disk_->Path("db"), GetParam(), expected_, ends[1]);
      absl::Status status = writer.Open();
      if (status.ok()) status = writer.Check();
      if (status.ok()) status = writer.FillAndDelete();
      std::printf("%s with %llu bytes free\n", status.ToString().c_str(),
                  static_cast<unsigned long long>(disk_->FreeBytes()));
      std::fflush(stdout);
      writer.Tell(Event::kFailed, 0);
      std::_Exit(1);
    }
    ::close(ends[1]);
    Report begun;
    bool killed = false;
    bool full = false;
    Report report;
    while (::read(ends[0], &report, sizeof(report)) == sizeof(report)) {
      Take(report, &begun);
      full = full || report.event == Event::kRefused;
      if (full && !killed && reports_when_full-- == 0) {
        ASSERT_EQ(::kill(child, SIGKILL), 0);
        killed = true;
      }
    }
    ::close(ends[0]);
    int how = 0;
    ASSERT_EQ(::waitpid(child, &how, 0), child);
    EXPECT_TRUE(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL) << how;
    // Of what was deleted or put last.
    expected_.unknown.reset();
    if (begun.event != Event::kDone) {
      expected_.unknown = begun.key;
      if (begun.event == Event::kBeginPut) expected_.next = begun.key + 1;
    }
  }

  // `begun` is the write that is under way; kDone if there is none.
  void Take(const Report& report, Report* begun) {
    switch (report.event) {
      case Event::kBeginPut:
      case Event::kBeginDelete:
        *begun = report;
        return;
      case Event::kDone:
        ASSERT_NE(begun->event, Event::kDone);
        if (begun->event == Event::kBeginPut) {
          expected_.held.insert(report.key);
          expected_.next = std::max(expected_.next, report.key + 1);
        } else {
          expected_.held.erase(report.key);
        }
        break;
      case Event::kRefused:
        ++refused_;
        break;
      case Event::kFailed:
        ADD_FAILURE() << "the process failed; see what it printed";
        break;
    }
    *begun = {};
  }

  ScratchDirectory scratch_;
  std::unique_ptr<SmallDisk> disk_;
  Expected expected_;
  uint64_t refused_ = 0;
};

TEST_P(KilledWhenFullTest, LosesNothingAndGoesOn) {
  std::mt19937_64 random(1);
  const int kills = std::getenv("RUMCASK_FULL") != nullptr ? 80 : 8;
  for (int i = 0; i < kills && !HasFailure(); ++i) {
    SCOPED_TRACE(absl::StrCat("kill ", i));
    // While it is full first, then while half is deleted, and while writing resumes.
    RunAndKill(random() % (uint64_t{1} << (4 + random() % 14)));
  }
  EXPECT_GT(refused_, 0u);
  // Not before, as threads of keystores do not survive a fork.
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  Writer writer(disk_->Path("db"), GetParam(), expected_, ends[1]);
  absl::Status status = writer.Open();
  if (status.ok()) status = writer.Check();
  if (status.ok()) status = writer.Verify();
  EXPECT_TRUE(status.ok()) << status;
  ::close(ends[0]);
  ::close(ends[1]);
}

INSTANTIATE_TEST_SUITE_P(Keystores, KilledWhenFullTest, testing::ValuesIn(KeystoreNames()),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace rumcask
