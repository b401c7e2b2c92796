// A disk that gets full again and again: it takes no more, and half of what there is is deleted.
//
// Writes that add are refused with ResourceExhausted, and nothing that was accepted is lost. Every
// delete succeeds while the disk is full. Compaction runs then, so that space comes back and
// writing resumes by itself. In some cycles another program takes all that is left on the disk as
// soon as it is full, and in some the database is closed and opened while it is.
//
// RUMCASK_FULL=1 runs ten times as many cycles.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

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
constexpr uint64_t kDiskBytes = 64 * kMiB;

// Takes all the room that is left on a disk, and gives it back in the end.
class Ballast {
 public:
  explicit Ballast(std::string path) : path_(std::move(path)) {
    const int fd = ::open(path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    const std::string piece(4096, '\0');
    while (::write(fd, piece.data(), piece.size()) > 0) {
    }
    ::fsync(fd);
    ::close(fd);
  }
  ~Ballast() { ::unlink(path_.c_str()); }
  Ballast(const Ballast&) = delete;
  Ballast& operator=(const Ballast&) = delete;

 private:
  const std::string path_;
};

// Whoever waits in vain says so before the test's own time is over.
constexpr int kMostTries = 20000;

class FullDiskTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<SmallDisk>> disk =
        SmallDisk::Make(scratch_.Path("."), kDiskBytes);
    if (!disk.ok()) {
      std::printf("SKIPPED: no full disks: %s\n", std::string(disk.status().message()).c_str());
      GTEST_SKIP();
    }
    disk_ = *std::move(disk);
    Open();
  }
  void TearDown() override { db_.reset(); }

  void Open(uint64_t segment_bytes = kMiB) {
    db_.reset();
    Options options;
    options.keystore = *KeystoreByName(GetParam());
    options.keystore->buffer_bytes = kMiB;
    options.segment_bytes = segment_bytes;
    options.create_if_missing = true;
    absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(disk_->Path("db"), options);
    ASSERT_TRUE(db.ok()) << db.status() << " with " << disk_->FreeBytes() << " bytes free";
    db_ = *std::move(db);
  }

  static std::string KeyOf(uint64_t number) { return absl::StrCat("key", number); }
  std::string NewValue() {
    return std::string(random_() % value_bytes_, static_cast<char>(random_()));
  }

  // Puts new keys until they are refused and compaction has come to rest: for longer than it may
  // take to begin. Returns the bytes that were taken.
  uint64_t Fill() {
    uint64_t bytes = 0;
    uint64_t retired = 0;
    int refusals = 0;
    for (int at_rest = 0; at_rest < 60;) {
      const std::string key = KeyOf(next_++);
      const std::string value = NewValue();
      const absl::Status status = db_->Put(key, value);
      if (!status.ok()) {
        EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
        const Stats stats = db_->GetStats();
        const uint64_t before = std::exchange(retired, stats.compaction.retired_bytes);
        const bool rests =
            !stats.compaction.running && stats.waiting_bytes == 0 && retired == before;
        at_rest = rests ? at_rest + 1 : 0;
        if (++refusals == kMostTries) {
          ADD_FAILURE() << "compaction does not come to rest; " << Figures();
          return bytes;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        continue;
      }
      at_rest = refusals = 0;
      bytes += key.size() + value.size();
      held_[key] = value;
    }
    return bytes;
  }
  void DeleteHalf() {
    for (auto at = held_.begin(); at != held_.end();) {
      if (random_() % 2 == 0) {
        ++at;
        continue;
      }
      const absl::Status status = db_->Delete(at->first);
      ASSERT_TRUE(status.ok()) << status << " with " << disk_->FreeBytes() << " bytes free";
      at = held_.erase(at);
    }
  }
  void WaitUntilWritingResumes() {
    absl::Status status = db_->Put("probe", "value");
    for (int tries = 0; tries < kMostTries && !status.ok(); ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      status = db_->Put("probe", "value");
    }
    ASSERT_TRUE(status.ok()) << status << "; " << Figures();
    ASSERT_TRUE(db_->Delete("probe").ok());
  }
  std::string Figures() const {
    const Stats stats = db_->GetStats();
    return absl::StrCat(disk_->FreeBytes(), " bytes free, ", stats.reserve_bytes, " in reserve, ",
                        stats.waiting_bytes, " in segments that wait, ", stats.compaction.jobs,
                        " jobs");
  }
  void ExpectAllHeld() {
    std::string value;
    for (const auto& [key, expected] : held_) {
      const absl::Status status = db_->Get(key, &value);
      ASSERT_TRUE(status.ok()) << key << ": " << status;
      ASSERT_EQ(value, expected) << key;
    }
    if (db_->GetStats().keys_exact) {
      ASSERT_EQ(db_->GetStats().keys, held_.size());
    }
  }

  ScratchDirectory scratch_;
  std::unique_ptr<SmallDisk> disk_;
  std::unique_ptr<DB> db_;
  std::mt19937_64 random_{1};
  std::map<std::string, std::string> held_;
  uint64_t next_ = 0;
  uint64_t value_bytes_ = 2000;
};

// With keystores in memory: the reserve of so small a disk has little room for the index of
// another.
class FullDiskInMemoryTest : public FullDiskTest {};

TEST_P(FullDiskTest, A40_H23_SpaceComesBackEveryTime) {
  const int cycles = std::getenv("RUMCASK_FULL") != nullptr ? 200 : 20;
  for (int cycle = 0; cycle < cycles && !HasFailure(); ++cycle) {
    SCOPED_TRACE(absl::StrCat("cycle ", cycle));
    const uint64_t filled = Fill();
    std::printf("cycle %d: %.1f MiB fitted in\n", cycle,
                static_cast<double>(filled) / static_cast<double>(kMiB));
    std::fflush(stdout);
    // Half of what fits was deleted, and there is some that could not be compacted yet.
    EXPECT_GE(filled, cycle == 0 ? kDiskBytes / 2 : kDiskBytes / 8);
    std::unique_ptr<Ballast> ballast;
    if (cycle % 2 == 1) ballast = std::make_unique<Ballast>(disk_->Path("ballast"));
    if (cycle % 3 == 2) Open();
    ExpectAllHeld();
    DeleteHalf();
    if (HasFatalFailure()) return;
    WaitUntilWritingResumes();
  }
  ExpectAllHeld();
  Open();
  ExpectAllHeld();
  EXPECT_TRUE(db_->Verify()->damages.empty());
}

// Most segments hold more than the reserve has room for. Those that are half empty have to wait,
// and space comes back as more is deleted.
TEST_P(FullDiskTest, SegmentsLargerThanTheReserve) {
  Open(8 * kMiB);
  Fill();
  const uint64_t held = held_.size();
  DeleteHalf();
  if (HasFatalFailure()) return;
  bool resumes = false;
  for (auto at = held_.begin(); at != held_.end() && !resumes; at = held_.erase(at)) {
    const absl::Status status = db_->Delete(at->first);
    ASSERT_TRUE(status.ok()) << status << " with " << disk_->FreeBytes() << " bytes free";
    resumes = db_->Put("probe", "value").ok();
  }
  std::printf("writing resumed with %llu of %llu keys left\n",
              static_cast<unsigned long long>(held_.size()), static_cast<unsigned long long>(held));
  WaitUntilWritingResumes();
  ExpectAllHeld();
  Open(8 * kMiB);
  ExpectAllHeld();
  EXPECT_TRUE(db_->Verify()->damages.empty());
}

// What is dead is in the segment that is written, and nobody deletes anything.
TEST_P(FullDiskTest, OverwritesAloneGetTheirSpaceBack) {
  while (disk_->FreeBytes() > kDiskBytes / 4) {
    const std::string key = KeyOf(next_++);
    const std::string value = NewValue();
    ASSERT_TRUE(db_->Put(key, value).ok());
    held_[key] = value;
  }
  Open(32 * kMiB);
  absl::Status status;
  while (status.ok()) {
    const std::string value = NewValue();
    status = db_->Put("key0", value);
    if (status.ok()) held_["key0"] = value;
  }
  ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
  WaitUntilWritingResumes();
  ExpectAllHeld();
  EXPECT_TRUE(db_->Verify()->damages.empty());
}

// The tombstones of many small records take more than the reserve, and are written faster than
// compaction begins. So they have to wait for it.
TEST_P(FullDiskInMemoryTest, DeletesWaitForRoom) {
  value_bytes_ = 100;
  Fill();
  DeleteHalf();
  if (HasFatalFailure()) return;
  WaitUntilWritingResumes();
  ExpectAllHeld();
  EXPECT_TRUE(db_->Verify()->damages.empty());
}

// A segment of which most is dead, but whose rest does not fit on the disk, does not keep
// compaction from those that do.
TEST_P(FullDiskInMemoryTest, WhatDoesNotFitIsLeft) {
  Open(16 * kMiB);
  while (disk_->FreeBytes() > kDiskBytes / 2) {
    const std::string key = KeyOf(next_++);
    const std::string value = NewValue();
    ASSERT_TRUE(db_->Put(key, value).ok());
    held_[key] = value;
  }
  const uint64_t in_large = next_;
  Open();
  Fill();
  for (auto at = held_.begin(); at != held_.end();) {
    const uint64_t deleted_of_ten = std::stoull(at->first.substr(3)) < in_large ? 7 : 5;
    if (random_() % 10 >= deleted_of_ten) {
      ++at;
      continue;
    }
    const absl::Status status = db_->Delete(at->first);
    ASSERT_TRUE(status.ok()) << status << " with " << disk_->FreeBytes() << " bytes free";
    at = held_.erase(at);
  }
  uint64_t retired = 0;
  uint64_t jobs = 0;
  while (!db_->Put("probe", "value").ok()) {
    const CompactionStats stats = db_->GetStats().compaction;
    if (stats.retired_bytes != retired) jobs = stats.jobs;
    retired = stats.retired_bytes;
    ASSERT_LT(stats.jobs, jobs + 8) << "jobs in vain";
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_TRUE(db_->Delete("probe").ok());
  ExpectAllHeld();
  EXPECT_TRUE(db_->Verify()->damages.empty());
}

std::vector<std::string> KeystoresInMemory() {
  std::vector<std::string> names = KeystoreNames();
  const auto is_persistent = [](const std::string& name) {
    return KeystoreByName(name)->traits.persistent;
  };
  names.erase(std::remove_if(names.begin(), names.end(), is_persistent), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Keystores, FullDiskInMemoryTest, testing::ValuesIn(KeystoresInMemory()),
                         [](const auto& param) { return param.param; });

INSTANTIATE_TEST_SUITE_P(Keystores, FullDiskTest, testing::ValuesIn(KeystoreNames()),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace rumcask
