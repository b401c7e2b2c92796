// How a crash file system behaves while it runs.

#include "tests/crash_kit/crash_file_system.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/system/file_system.h"
#include "tests/crash_kit/crash_fixture.h"

namespace rumcask {
namespace {

using CrashFileSystemTest = CrashFixture;

// ---- open files ----

TEST_F(CrashFileSystemTest, OpenModesAndErrors) {
  EXPECT_EQ(directory_->Open("f", OpenMode::kReadOnly).status().code(),
            absl::StatusCode::kNotFound);
  ASSERT_TRUE(Open("f", OpenMode::kCreateNew)->Write(0, "abc").ok());
  EXPECT_EQ(directory_->Open("f", OpenMode::kCreateNew).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReadAll(*Open("f", OpenMode::kCreateOrKeep)), "abc");
  std::unique_ptr<File> read_only = Open("f", OpenMode::kReadOnly);
  EXPECT_FALSE(read_only->Write(0, "x").ok());
  EXPECT_FALSE(read_only->Map(4096, /*writable=*/true).ok());
  EXPECT_EQ(ReadAll(*Open("f", OpenMode::kCreateOrReplace)), "");
  EXPECT_EQ(directory_->Rename("g", "h").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(*directory_->List(), std::vector<std::string>{"f"});
}

TEST_F(CrashFileSystemTest, AnOpenFileWorksAfterItsUnlink) {
  std::unique_ptr<File> file = OpenDurable("f", "abc");
  ASSERT_TRUE(directory_->Unlink("f").ok());
  ASSERT_TRUE(file->Write(3, "d").ok());
  EXPECT_EQ(ReadAll(*file), "abcd");
  EXPECT_EQ(ReadAll(*Open("f")), "");
}

TEST_F(CrashFileSystemTest, LocksAreSharedOrExclusiveAndEndWithTheFile) {
  std::unique_ptr<File> first = Open("LOCK");
  std::unique_ptr<File> second = Open("LOCK");
  ASSERT_TRUE(first->TryLock(LockKind::kShared).ok());
  ASSERT_TRUE(second->TryLock(LockKind::kShared).ok());
  EXPECT_EQ(second->TryLock(LockKind::kExclusive).code(), absl::StatusCode::kUnavailable);
  first.reset();
  EXPECT_TRUE(second->TryLock(LockKind::kExclusive).ok());
  EXPECT_EQ(Open("LOCK")->TryLock(LockKind::kShared).code(), absl::StatusCode::kUnavailable);
}

// ---- mappings ----

TEST_F(CrashFileSystemTest, BytesStoredInAMappingDoNotExistBeforeWrote) {
  std::unique_ptr<File> file = OpenDurable("f", Bytes(4096, '.'));
  std::unique_ptr<MappedRegion> region = Map(*file, 64 << 20);
  std::memcpy(region->data() + 100, "hello", 5);
  EXPECT_EQ(ReadAll(*file), Bytes(4096, '.'));
  EXPECT_EQ(After(KeepPolicy::KeepEverything()).at("f"), Bytes(4096, '.'));
  region->Wrote(100, 3);
  EXPECT_EQ(ReadAll(*file).substr(99, 7), ".hel...");
  EXPECT_EQ(After(KeepPolicy::KeepEverything()).at("f").substr(99, 7), ".hel...");
  EXPECT_EQ(After(KeepPolicy::DropUnsynced()).at("f"), Bytes(4096, '.'));
}

TEST_F(CrashFileSystemTest, MappingsSeeTheFileAndEachOther) {
  std::unique_ptr<File> file = OpenDurable("f", "0123456789");
  std::unique_ptr<MappedRegion> small = Map(*file, 4096);
  std::unique_ptr<MappedRegion> reader = Map(*file, 4096, /*writable=*/false);
  std::unique_ptr<MappedRegion> large = Map(*file, 1 << 20, /*writable=*/false);
  file.reset();
  file = Open("f");
  const auto expect_all = [&](const std::string& bytes) {
    for (MappedRegion* region : {small.get(), reader.get(), large.get()}) {
      EXPECT_EQ(std::string(region->data(), 10), bytes);
    }
  };
  expect_all("0123456789");
  ASSERT_TRUE(file->Write(2, "ab").ok());
  expect_all("01ab456789");
  std::memcpy(small->data() + 5, "cd", 2);
  small->Wrote(5, 2);
  expect_all("01ab4cd789");
  ASSERT_TRUE(file->Truncate(3).ok());
  expect_all(std::string("01a\0\0\0\0\0\0\0", 10));
}

using CrashFileSystemDeathTest = CrashFixture;

TEST_F(CrashFileSystemDeathTest, WroteWhereARealSystemWouldKillTheProcess) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  std::unique_ptr<File> file = OpenDurable("f", "0123456789");
  std::unique_ptr<MappedRegion> region = Map(*file, 4096);
  std::unique_ptr<MappedRegion> reader = Map(*file, 4096, /*writable=*/false);
  EXPECT_DEATH(region->Wrote(9, 2), "past the file's end: /crash/f has 10 bytes");
  EXPECT_DEATH(reader->Wrote(0, 1), "on a read-only mapping");
  ASSERT_TRUE(region->ProtectReadOnly().ok());
  EXPECT_DEATH(region->Wrote(0, 1), "on a read-only mapping");
}

// ---- observing and images ----

TEST_F(CrashFileSystemTest, EveryChangeIsANumberedOperationAndNoReadIs) {
  std::vector<std::string> seen;
  fs_.SetObserver([&](uint64_t operation, const char* what, const std::string& name, bool after) {
    seen.push_back(std::to_string(operation) + " " + what + " " + name + (after ? " after" : ""));
  });
  ASSERT_TRUE(fs_.CreateDirectory("/crash/d").ok());
  ASSERT_TRUE(fs_.SyncParent("/crash/d").ok());
  std::unique_ptr<File> file = Open("f");
  ASSERT_TRUE(file->Write(0, "abc").ok());
  std::unique_ptr<MappedRegion> region = Map(*file, 4096);
  region->Populate(0, 4096);
  region->Wrote(0, 1);
  ReadAll(*file);
  ASSERT_TRUE(file->Truncate(1).ok());
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(directory_->Rename("f", "g").ok());
  ASSERT_TRUE(directory_->Unlink("g").ok());
  ASSERT_TRUE(directory_->Sync().ok());
  const std::vector<std::string> operations = {
      "mkdir /crash/d",  "sync parent /crash/d", "create /crash/f", "pwrite /crash/f",
      "wrote /crash/f",  "truncate /crash/f",    "sync /crash/f",   "rename /crash/f",
      "unlink /crash/g", "sync directory /crash"};
  ASSERT_EQ(seen.size(), 2 * operations.size());
  for (size_t i = 0; i < operations.size(); ++i) {
    EXPECT_EQ(seen[2 * i], std::to_string(i + 1) + " " + operations[i]);
    EXPECT_EQ(seen[2 * i + 1], seen[2 * i] + " after");
  }
  EXPECT_EQ(fs_.operation_count(), operations.size());
}

TEST_F(CrashFileSystemTest, AnObserverMayCutAndImagesDoNotChange) {
  std::vector<CrashImage> images;
  fs_.SetObserver([&](uint64_t, const char*, const std::string&, bool after) {
    if (after) images.push_back(fs_.Cut(KeepPolicy::KeepEverything()));
  });
  std::unique_ptr<File> file = Open("f");
  ASSERT_TRUE(file->Write(0, "a").ok());
  ASSERT_TRUE(file->Write(0, "b").ok());
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(file->Truncate(0).ok());
  ASSERT_EQ(images.size(), 5u);
  // A file system that was started from an image does not change it either.
  CrashFileSystem other(images[1]);
  ASSERT_TRUE(
      (*(*other.OpenDirectory(kRoot))->Open("f", OpenMode::kReadWrite))->Write(0, "z").ok());
  const char* const expected[] = {"", "a", "b", "b", ""};
  for (size_t i = 0; i < images.size(); ++i) {
    EXPECT_EQ(ContentsOf(images[i]), (Tree{{"f", expected[i]}})) << i;
  }
}

TEST_F(CrashFileSystemTest, AFileSystemFromAnImageIsDurableAndUnlocked) {
  std::unique_ptr<File> file = Open("f");
  ASSERT_TRUE(file->TryLock(LockKind::kExclusive).ok());
  ASSERT_TRUE(file->Write(0, "x").ok());
  CrashFileSystem after(fs_.Cut(KeepPolicy::KeepEverything()));
  EXPECT_EQ(ContentsOf(after.Cut(KeepPolicy::DropUnsynced())), (Tree{{"f", "x"}}));
  std::unique_ptr<Directory> directory = *after.OpenDirectory(kRoot);
  EXPECT_TRUE((*directory->Open("f", OpenMode::kReadWrite))->TryLock(LockKind::kExclusive).ok());
}

TEST_F(CrashFileSystemTest, DamageIsDurableAtOnceAndNoOperation) {
  OpenDurable("f", "abc");
  const uint64_t operations = fs_.operation_count();
  fs_.FlipBit("/crash/f", 0, 1);
  fs_.Overwrite("/crash/f", 2, "XY");
  fs_.CopyFile("/crash/f", "/crash/g");
  fs_.TruncateFile("/crash/g", 1);
  fs_.WriteFile("/crash/h", "h");
  EXPECT_EQ(After(KeepPolicy::DropUnsynced()), (Tree{{"f", "cbXY"}, {"g", "c"}, {"h", "h"}}));
  fs_.RemoveFile("/crash/f");
  EXPECT_EQ(After(KeepPolicy::DropUnsynced()), (Tree{{"g", "c"}, {"h", "h"}}));
  EXPECT_EQ(fs_.operation_count(), operations);
}

TEST_F(CrashFileSystemTest, AFullDiskTakesWhatFitsAndThenNothingMore) {
  std::unique_ptr<File> file = OpenDurable("f", "12345");
  std::unique_ptr<File> other = OpenDurable("g", "12345");
  fs_.SetCapacity(14);
  EXPECT_TRUE(absl::IsResourceExhausted(file->Write(3, "abcdefgh")));
  EXPECT_EQ(ReadAll(*file), "123abcdef");
  EXPECT_TRUE(file->Write(0, "x").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(other->Write(5, "y")));
  ASSERT_TRUE(file->Truncate(8).ok());
  EXPECT_TRUE(other->Write(5, "y").ok());
  ASSERT_TRUE(directory_->Unlink("g").ok());
  EXPECT_TRUE(file->Write(8, "123456").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(file->Write(14, "7")));
}

TEST_F(CrashFileSystemTest, ThreadsMayWriteSyncMapAndCutAtOnce) {
  std::unique_ptr<File> file = OpenDurable("f", Bytes(1 << 16, '.'));
  std::unique_ptr<MappedRegion> region = Map(*file, 1 << 20);
  std::atomic<bool> done{false};
  std::thread mapper([&] {
    for (int i = 0; i < 2000; ++i) {
      const size_t offset = static_cast<size_t>(i) * 8;
      std::memcpy(region->data() + offset, "mapped!!", 8);
      region->Wrote(offset, 8);
    }
    done = true;
  });
  std::thread writer([&] {
    for (int i = 0; i < 500; ++i) EXPECT_TRUE(file->Write(40000 + i * 8, "written!").ok());
  });
  for (uint64_t seed = 0; !done; ++seed) {
    EXPECT_TRUE(file->Sync().ok());
    const Tree tree = After(KeepPolicy::Random(seed));
    EXPECT_EQ(tree.at("f").size(), size_t{1} << 16);
  }
  mapper.join();
  writer.join();
  EXPECT_EQ(ReadAll(*file).substr(2000 * 8 - 8, 9), "mapped!!.");
}

}  // namespace
}  // namespace rumcask
