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

  void Open() {
    db_.reset();
    Options options;
    options.keystore = *KeystoreByName(GetParam());
    options.keystore->buffer_bytes = kMiB;
    options.segment_bytes = kMiB;
    options.create_if_missing = true;
    absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(disk_->Path("db"), options);
    ASSERT_TRUE(db.ok()) << db.status() << " with " << disk_->FreeBytes() << " bytes free";
    db_ = *std::move(db);
  }

  static std::string KeyOf(uint64_t number) { return absl::StrCat("key", number); }
  std::string NewValue() { return std::string(random_() % 2000, static_cast<char>(random_())); }

  // Puts new keys until they are refused and compaction has come to rest: for longer than it may
  // take to begin. Returns the bytes that were taken.
  uint64_t Fill() {
    uint64_t bytes = 0;
    uint64_t retired = 0;
    for (int refused = 0; refused < 60;) {
      const std::string key = KeyOf(next_++);
      const std::string value = NewValue();
      const absl::Status status = db_->Put(key, value);
      if (!status.ok()) {
        EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
        const Stats stats = db_->GetStats();
        const uint64_t before = std::exchange(retired, stats.compaction.retired_bytes);
        const bool rests =
            !stats.compaction.running && stats.waiting_bytes == 0 && retired == before;
        refused = rests ? refused + 1 : 0;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        continue;
      }
      refused = 0;
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
    while (!db_->Put("probe", "value").ok()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ASSERT_TRUE(db_->Delete("probe").ok());
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
};

TEST_P(FullDiskTest, SpaceComesBackEveryTime) {
  const int cycles = std::getenv("RUMCASK_FULL") != nullptr ? 200 : 20;
  for (int cycle = 0; cycle < cycles && !HasFailure(); ++cycle) {
    SCOPED_TRACE(absl::StrCat("cycle ", cycle));
    const uint64_t filled = Fill();
    std::printf("cycle %d: %.1f MiB fitted in\n", cycle,
                static_cast<double>(filled) / static_cast<double>(kMiB));
    // Half of what fits was deleted, and there is some that could not be compacted yet.
    EXPECT_GE(filled, cycle == 0 ? kDiskBytes / 2 : kDiskBytes / 8);
    std::unique_ptr<Ballast> ballast;
    if (cycle % 2 == 1) ballast = std::make_unique<Ballast>(disk_->Path("ballast"));
    if (cycle % 3 == 2) Open();
    ExpectAllHeld();
    DeleteHalf();
    WaitUntilWritingResumes();
  }
  ExpectAllHeld();
  Open();
  ExpectAllHeld();
  EXPECT_TRUE(db_->Verify()->damages.empty());
}

INSTANTIATE_TEST_SUITE_P(Keystores, FullDiskTest, testing::ValuesIn(KeystoreNames()),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace rumcask
