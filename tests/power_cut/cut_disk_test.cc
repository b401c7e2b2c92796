#include "tests/power_cut/cut_disk.h"

#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "gtest/gtest.h"

namespace rumcask {
namespace {

using Id = CutDisk::Id;

constexpr int kCuts = 300;
constexpr mode_t kFile = S_IFREG | 0600;

class CutDiskTest : public testing::Test {
 protected:
  Id Create(const std::string& name) {
    Id id = 0;
    EXPECT_EQ(disk_.Create(CutDisk::kRoot, name, kFile, &id), 0);
    return id;
  }
  // The content of a file; "none" if it does not exist.
  static std::string Content(const CutDisk& disk, const std::string& name) {
    Id id = 0;
    if (disk.Lookup(CutDisk::kRoot, name, &id) != 0) return "none";
    std::string bytes;
    EXPECT_EQ(disk.Read(id, 0, 1 << 20, &bytes), 0);
    return bytes;
  }
  // All contents that different cuts leave of the file.
  std::set<std::string> Contents(const std::string& name) {
    std::set<std::string> contents;
    for (int i = 0; i < kCuts; ++i) contents.insert(Content(*disk_.AfterCut(&random_), name));
    return contents;
  }

  CutDisk disk_;
  std::mt19937_64 random_{1};
};

TEST_F(CutDiskTest, WhatIsSyncedIsThereAfterACut) {
  const Id file = Create("file");
  EXPECT_EQ(disk_.Write(file, 2, "bytes"), 0);
  EXPECT_EQ(disk_.Truncate(file, 5), 0);
  EXPECT_EQ(disk_.Sync(file), 0);
  EXPECT_EQ(Contents("file"), (std::set<std::string>{"none", std::string("\0\0byt", 5)}));
  EXPECT_EQ(disk_.Sync(CutDisk::kRoot), 0);
  EXPECT_EQ(Contents("file"), (std::set<std::string>{std::string("\0\0byt", 5)}));
}

TEST_F(CutDiskTest, OfWhatIsNotSyncedAnySectorMayBeThere) {
  const Id file = Create("file");
  EXPECT_EQ(disk_.Sync(CutDisk::kRoot), 0);
  const std::string a(CutDisk::kSectorBytes, 'a'), b(CutDisk::kSectorBytes, 'b');
  const std::string zeros(CutDisk::kSectorBytes, '\0');
  EXPECT_EQ(disk_.Write(file, 0, a + b), 0);
  EXPECT_EQ(Contents("file"),
            (std::set<std::string>{"", a, a + b, zeros + b, a + zeros, zeros + zeros}));
}

TEST_F(CutDiskTest, OfNamesThatAreNotSyncedTheFirstMayBeThere) {
  Create("a");
  EXPECT_EQ(disk_.Sync(CutDisk::kRoot), 0);
  const Id b = Create("b");
  EXPECT_EQ(disk_.Write(b, 0, "b"), 0);
  EXPECT_EQ(disk_.Sync(b), 0);
  EXPECT_EQ(disk_.Rename(CutDisk::kRoot, "b", "a"), 0);
  EXPECT_EQ(Contents("a"), (std::set<std::string>{"", "b"}));
  EXPECT_EQ(Contents("b"), (std::set<std::string>{"none", "b"}));
  EXPECT_EQ(disk_.Remove(CutDisk::kRoot, "a", false), 0);
  EXPECT_EQ(Contents("a"), (std::set<std::string>{"none", "", "b"}));
}

TEST_F(CutDiskTest, ACutFailsEverythingAfterIt) {
  const Id file = Create("file");
  EXPECT_EQ(disk_.Sync(CutDisk::kRoot), 0);
  for (const bool made : {false, true}) {
    const std::unique_ptr<CutDisk> disk = disk_.AfterCut(&random_);
    int told = 0;
    disk->CutAt(2, made, [&told] { ++told; });
    EXPECT_EQ(disk->Write(file, 0, "bytes"), 0);
    EXPECT_EQ(disk->Sync(file), EIO);
    EXPECT_EQ(told, 1);
    EXPECT_TRUE(disk->cut());
    std::string bytes;
    EXPECT_EQ(disk->Read(file, 0, 1, &bytes), EIO);
    EXPECT_EQ(disk->Sync(file), EIO);
    std::set<std::string> contents;
    for (int i = 0; i < kCuts; ++i) contents.insert(Content(*disk->AfterCut(&random_), "file"));
    EXPECT_EQ(contents.count(""), made ? 0u : 1u);
  }
}

}  // namespace
}  // namespace rumcask
