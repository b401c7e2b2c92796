#include "core/system/space_reserve.h"

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"

#include "core/system/file_system.h"

namespace rumcask {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

// A disk that has one file, RESERVE, and so much room for it.
struct Disk {
  uint64_t room = 100 * kMiB;
  // More than there really is.
  uint64_t promised = 0;
  std::optional<uint64_t> reserve;
  // Of the reserve.
  uint64_t holes = 0;
  bool allocates = true;
  bool opens = true;
};

class DiskFile : public File {
 public:
  explicit DiskFile(Disk* disk) : File(kReserveName), disk_(disk) {}

 protected:
  int64_t DoPread(uint64_t, void*, size_t) const override { return -EIO; }
  int64_t DoPwritev(uint64_t, const iovec*, int) override { return -EIO; }
  int DoTruncate(uint64_t size) override {
    disk_->room += *disk_->reserve - size - disk_->holes;
    disk_->holes = 0;
    disk_->reserve = size;
    return 0;
  }
  int DoAllocate(uint64_t size) override {
    if (!disk_->allocates) return -EOPNOTSUPP;
    if (disk_->holes > disk_->room) return -ENOSPC;
    disk_->room -= std::exchange(disk_->holes, 0);
    const uint64_t more = size - std::min(size, *disk_->reserve);
    const uint64_t got = std::min(more, disk_->room);
    disk_->room -= got;
    *disk_->reserve += got;
    return got < more ? -ENOSPC : 0;
  }
  int DoSync() override { return 0; }
  int64_t DoSize() const override { return static_cast<int64_t>(*disk_->reserve); }
  int DoMap(size_t, bool, std::unique_ptr<MappedRegion>*) override { return -EIO; }
  int DoLock(LockKind) override { return 0; }

 private:
  Disk* const disk_;
};

class DiskDirectory : public Directory {
 public:
  explicit DiskDirectory(Disk* disk) : Directory("disk"), disk_(disk) {}
  DirectoryIdentity identity() const override { return {}; }
  DiskSpace disk_space() const override { return {1000 * kMiB, disk_->room + disk_->promised}; }

 protected:
  int DoOpen(const std::string&, OpenMode mode, std::unique_ptr<File>* file) override {
    if (!disk_->opens) return -EMFILE;
    if (!disk_->reserve.has_value()) {
      if (mode != OpenMode::kCreateOrKeep) return -ENOENT;
      disk_->reserve = 0;
    }
    *file = std::make_unique<DiskFile>(disk_);
    return 0;
  }
  int DoOpenForLocking(std::unique_ptr<File>*) override { return -EIO; }
  int DoUnlink(const std::string&) override {
    disk_->reserve.reset();
    return 0;
  }
  int DoRename(const std::string&, const std::string&) override { return -EIO; }
  int DoSync() override { return 0; }
  int DoList(std::vector<std::string>*) override { return 0; }

 private:
  Disk* const disk_;
};

class SpaceReserveTest : public testing::Test {
 protected:
  SpaceReserveTest() { reserve_.Begin(); }

  bool IsWhole() { return reserve_.CheckWhole().ok(); }
  // Refused writers look for room only now and then.
  void WaitUntilWhole() {
    while (!IsWhole()) {
    }
  }

  Disk disk_;
  DiskDirectory directory_{&disk_};
  SpaceReserve reserve_{&directory_};
};

TEST_F(SpaceReserveTest, HoldsWhatIsWanted) {
  EXPECT_EQ(reserve_.bytes(), 0u);
  EXPECT_TRUE(IsWhole());
  reserve_.Hold(10 * kMiB);
  EXPECT_EQ(disk_.reserve, 10 * kMiB);
  EXPECT_EQ(disk_.room, 90 * kMiB);
  EXPECT_EQ(reserve_.bytes(), 10 * kMiB);
  EXPECT_TRUE(IsWhole());
  EXPECT_FALSE(reserve_.TakeFull());
}

TEST_F(SpaceReserveTest, ShrinksWhenMuchLessIsWanted) {
  reserve_.Hold(10 * kMiB);
  reserve_.Hold(6 * kMiB);
  EXPECT_EQ(disk_.reserve, 10 * kMiB);
  reserve_.Hold(4 * kMiB);
  EXPECT_EQ(disk_.reserve, 4 * kMiB);
  EXPECT_TRUE(IsWhole());
}

TEST_F(SpaceReserveTest, TakesOverWhatIsThere) {
  disk_.reserve = 7 * kMiB;
  disk_.room = 0;
  SpaceReserve next(&directory_);
  next.Begin();
  EXPECT_EQ(next.bytes(), 7 * kMiB);
  EXPECT_TRUE(next.GiveUp());
}

// As a copy may have it.
TEST_F(SpaceReserveTest, AFileWithHolesHoldsNothing) {
  disk_.reserve = disk_.holes = 8 * kMiB;
  SpaceReserve next(&directory_);
  next.Begin();
  next.Hold(8 * kMiB);
  EXPECT_EQ(disk_.room, 92 * kMiB);
  EXPECT_EQ(next.bytes(), 8 * kMiB);
  // Another one, for which there is no room.
  disk_.holes = 8 * kMiB;
  disk_.room = 7 * kMiB;
  SpaceReserve last(&directory_);
  last.Begin();
  last.Hold(8 * kMiB);
  EXPECT_EQ(last.bytes(), 5 * kMiB);
  EXPECT_EQ(disk_.room, 2 * kMiB);
}

TEST_F(SpaceReserveTest, GivesUpAPartForEachFailure) {
  reserve_.Hold(40 * kMiB);
  disk_.room = 0;
  int tries = 0;
  const absl::Status status = reserve_.Run([&] {
    ++tries;
    return disk_.room >= 15 * kMiB ? absl::OkStatus() : absl::ResourceExhaustedError("full");
  });
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(tries, 3);
  EXPECT_EQ(disk_.reserve, 20 * kMiB);
}

TEST_F(SpaceReserveTest, SparesAQuarterOfItself) {
  reserve_.Hold(40 * kMiB);
  EXPECT_EQ(reserve_.Spare(), 90 * kMiB);
  disk_.room = 0;
  EXPECT_EQ(reserve_.Spare(), 30 * kMiB);
  EXPECT_FALSE(reserve_.IsLow());
  while (reserve_.GiveUp()) disk_.room = 6 * kMiB;  // somebody takes the rest
  EXPECT_EQ(reserve_.Spare(), 3 * kMiB);
  EXPECT_EQ(reserve_.Room(), 6 * kMiB);
  EXPECT_TRUE(reserve_.IsLow());
}

TEST_F(SpaceReserveTest, EndsWithTheErrorWhenNothingIsLeft) {
  reserve_.Hold(40 * kMiB);
  disk_.room = 0;
  int tries = 0;
  const absl::Status status = reserve_.Run([&] {
    ++tries;
    return absl::ResourceExhaustedError("full");
  });
  EXPECT_EQ(status, absl::ResourceExhaustedError("full"));
  EXPECT_EQ(tries, 5);
  EXPECT_EQ(disk_.reserve, 0u);
}

TEST_F(SpaceReserveTest, GivesUpNothingWhileTheDiskHasRoom) {
  reserve_.Hold(40 * kMiB);
  EXPECT_EQ(reserve_.Run([] { return absl::ResourceExhaustedError("no descriptor"); }),
            absl::ResourceExhaustedError("no descriptor"));
  EXPECT_EQ(disk_.reserve, 40 * kMiB);
  EXPECT_TRUE(IsWhole());
}

TEST_F(SpaceReserveTest, GivesUpNothingForOtherErrors) {
  reserve_.Hold(40 * kMiB);
  disk_.room = 0;
  EXPECT_EQ(reserve_.Run([] { return absl::InternalError("other"); }),
            absl::InternalError("other"));
  EXPECT_EQ(disk_.reserve, 40 * kMiB);
  EXPECT_TRUE(IsWhole());
}

TEST_F(SpaceReserveTest, RefusesWhatAddsUntilItIsWholeAgain) {
  reserve_.Hold(40 * kMiB);
  disk_.room = 0;
  ASSERT_TRUE(reserve_.GiveUp());
  disk_.room = 0;  // somebody has taken it
  const absl::Status status = reserve_.CheckWhole();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_NE(status.message().find("disk is full"), std::string::npos) << status;
  EXPECT_TRUE(reserve_.TakeFull());
  EXPECT_TRUE(reserve_.TakeFull());
  // A quarter is left to whoever makes room.
  disk_.room = 19 * kMiB;
  reserve_.Hold(40 * kMiB);
  EXPECT_EQ(disk_.reserve, 39 * kMiB);
  EXPECT_FALSE(IsWhole());
  disk_.room = 11 * kMiB;
  WaitUntilWhole();
  EXPECT_EQ(disk_.reserve, 40 * kMiB);
  EXPECT_FALSE(reserve_.TakeFull());
}

// A disk may be nearly full for years.
TEST_F(SpaceReserveTest, IsSpentIfLessThanHalfCanBeHad) {
  disk_.room = 35 * kMiB;
  reserve_.Hold(40 * kMiB);
  EXPECT_EQ(disk_.reserve, 25 * kMiB);
  EXPECT_TRUE(IsWhole());
  reserve_.Hold(64 * kMiB);
  EXPECT_FALSE(IsWhole());
}

TEST_F(SpaceReserveTest, KeepsNothingOfAFailedPiece) {
  disk_.room = 25 * kMiB + 1000;
  disk_.promised = 100 * kMiB;
  reserve_.Hold(40 * kMiB);
  EXPECT_EQ(disk_.reserve, 25 * kMiB);
  EXPECT_EQ(disk_.room, 1000u);
}

TEST_F(SpaceReserveTest, NotesOnceThatTheDiskWasFull) {
  reserve_.NoteFull();
  EXPECT_TRUE(reserve_.is_full());
  EXPECT_TRUE(IsWhole());
  EXPECT_TRUE(reserve_.TakeFull());
  EXPECT_FALSE(reserve_.TakeFull());
}

TEST_F(SpaceReserveTest, ThereIsNoneWhereBlocksCannotBeAllocated) {
  disk_.allocates = false;
  reserve_.Hold(40 * kMiB);
  EXPECT_EQ(disk_.reserve, std::nullopt);
  EXPECT_TRUE(IsWhole());
  EXPECT_FALSE(reserve_.GiveUp());
}

TEST_F(SpaceReserveTest, WithoutAllocationALackOfRoomIsNone) {
  disk_.allocates = false;
  disk_.room = kMiB;
  reserve_.Hold(40 * kMiB);
  EXPECT_TRUE(IsWhole());
}

// Which the format allows.
TEST_F(SpaceReserveTest, ItsFileIsRemoved) {
  reserve_.Hold(40 * kMiB);
  disk_.reserve.reset();
  disk_.room = 0;
  EXPECT_FALSE(reserve_.GiveUp());
  EXPECT_EQ(reserve_.bytes(), 0u);
  disk_.room = 100 * kMiB;
  reserve_.Hold(40 * kMiB);
  EXPECT_EQ(disk_.reserve, 40 * kMiB);
}

TEST_F(SpaceReserveTest, ItsFileCannotBeOpened) {
  disk_.opens = false;
  reserve_.Hold(40 * kMiB);
  EXPECT_TRUE(IsWhole());
  disk_.opens = true;
  reserve_.Hold(40 * kMiB);
  disk_.opens = false;
  disk_.room = 0;
  EXPECT_FALSE(reserve_.GiveUp());
  EXPECT_EQ(disk_.reserve, 40 * kMiB);
  EXPECT_TRUE(IsWhole());
}

}  // namespace
}  // namespace rumcask
