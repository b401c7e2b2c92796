#include "core/system/memory_file_system.h"

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace rumcask {
namespace {

class MemoryFileSystemTest : public testing::Test {
 protected:
  MemoryFileSystemTest() {
    EXPECT_TRUE(files_->CreateDirectory("/some/where").ok());
    auto directory = files_->OpenDirectory("/some/where/");
    EXPECT_TRUE(directory.ok()) << directory.status();
    directory_ = *std::move(directory);
  }
  std::unique_ptr<File> Open(const char* name, OpenMode mode = OpenMode::kCreateOrKeep) {
    auto file = directory_->Open(name, mode);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? *std::move(file) : nullptr;
  }
  static std::string Read(const File& file) {
    std::string bytes(*file.Size(), '?');
    EXPECT_TRUE(file.Read(0, bytes.data(), bytes.size()).ok());
    return bytes;
  }
  std::vector<std::string> Names() { return *directory_->List(); }

  const std::unique_ptr<FileSystem> files_ = NewMemoryFileSystem();
  std::unique_ptr<Directory> directory_;
};

TEST_F(MemoryFileSystemTest, DirectoriesAreMadeAndRemoved) {
  EXPECT_FALSE(files_->IsOfTheSystem());
  EXPECT_TRUE(absl::IsNotFound(files_->OpenDirectory("/none").status()));
  EXPECT_TRUE(absl::IsAlreadyExists(files_->CreateDirectory("/some/where")));
  ASSERT_TRUE(files_->CreateDirectory("/other").ok());
  EXPECT_NE((*files_->OpenDirectory("/other"))->identity().inode, directory_->identity().inode);
  Open("a");
  EXPECT_TRUE(absl::IsFailedPrecondition(files_->RemoveDirectory("/some/where")));
  ASSERT_TRUE(directory_->Unlink("a").ok());
  EXPECT_TRUE(directory_->IsLinked());
  EXPECT_TRUE(files_->RemoveDirectory("/some/where").ok());
  EXPECT_FALSE(directory_->IsLinked());
  EXPECT_TRUE(absl::IsNotFound(directory_->Open("a", OpenMode::kCreateNew).status()));
  EXPECT_TRUE(absl::IsNotFound(files_->RemoveDirectory("/some/where")));
}

TEST_F(MemoryFileSystemTest, FilesOpenAsTheModeSays) {
  EXPECT_TRUE(absl::IsNotFound(directory_->Open("a", OpenMode::kReadOnly).status()));
  EXPECT_TRUE(absl::IsNotFound(directory_->Open("a", OpenMode::kReadWrite).status()));
  ASSERT_TRUE(Open("a", OpenMode::kCreateNew)->Write(0, "bytes").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(directory_->Open("a", OpenMode::kCreateNew).status()));
  EXPECT_EQ(Read(*Open("a", OpenMode::kReadOnly)), "bytes");
  EXPECT_EQ(Read(*Open("a", OpenMode::kCreateOrKeep)), "bytes");
  EXPECT_EQ(Read(*Open("a", OpenMode::kCreateOrReplace)), "");
  EXPECT_EQ(Names(), (std::vector<std::string>{"a"}));
}

TEST_F(MemoryFileSystemTest, BytesAreWhereTheyWereWritten) {
  const std::unique_ptr<File> file = Open("a");
  EXPECT_EQ(file->name(), "/some/where//a");
  ASSERT_TRUE(file->Write(3, "def").ok());
  EXPECT_EQ(Read(*file), std::string("\0\0\0def", 6));
  std::string more = "ghi";
  std::string most = "jkl";
  ASSERT_TRUE(file->Write(5, {{more.data(), 3}, {nullptr, 0}, {most.data(), 3}}).ok());
  EXPECT_EQ(Read(*file), std::string("\0\0\0deghijkl", 11));
  char buffer[8];
  EXPECT_EQ(*file->ReadUpTo(9, buffer, sizeof(buffer)), 2u);
  EXPECT_EQ(*file->ReadUpTo(20, buffer, sizeof(buffer)), 0u);
  EXPECT_TRUE(absl::IsOutOfRange(file->Read(9, buffer, sizeof(buffer))));
}

// What was cut off comes back as zeros, within a page and over many.
TEST_F(MemoryFileSystemTest, WhatIsCutOffIsForgotten) {
  for (const size_t size : {size_t{100}, size_t{4096}, size_t{1000000}}) {
    for (const size_t left : {size_t{0}, size_t{10}, size}) {
      const std::unique_ptr<File> file = Open("a", OpenMode::kCreateOrReplace);
      ASSERT_TRUE(file->Write(0, std::string(size, 'x')).ok());
      ASSERT_TRUE(file->Truncate(left).ok());
      EXPECT_EQ(*file->Size(), left);
      ASSERT_TRUE(file->Allocate(size + 5000).ok());
      EXPECT_EQ(Read(*file), std::string(left, 'x') + std::string(size + 5000 - left, '\0'));
      ASSERT_TRUE(file->Allocate(7).ok());
      EXPECT_EQ(*file->Size(), size + 5000);
    }
  }
}

TEST_F(MemoryFileSystemTest, AMappingIsTheFile) {
  std::unique_ptr<MappedRegion> region;
  {
    const std::unique_ptr<File> file = Open("a");
    ASSERT_TRUE(file->Write(0, "bytes").ok());
    region = *file->Map(4096, /*writable=*/true);
    ASSERT_TRUE(file->Allocate(10000000).ok());
    EXPECT_EQ(std::string(region->data(), 5), "bytes");
    std::memcpy(region->data(), "BY", 2);
    region->Wrote(0, 2);
    ASSERT_TRUE(file->Write(2, "TES").ok());
    ASSERT_TRUE(directory_->Unlink("a").ok());
  }
  EXPECT_EQ(std::string(region->data(), 5), "BYTES");
}

TEST_F(MemoryFileSystemTest, NamesMoveAndGo) {
  const std::unique_ptr<File> a = Open("a");
  const std::unique_ptr<File> b = Open("b");
  ASSERT_TRUE(a->Write(0, "a").ok());
  EXPECT_TRUE(absl::IsNotFound(directory_->Rename("c", "d")));
  ASSERT_TRUE(directory_->Rename("a", "a").ok());
  EXPECT_TRUE(a->IsLinked());
  ASSERT_TRUE(directory_->Rename("a", "b").ok());
  EXPECT_EQ(Names(), (std::vector<std::string>{"b"}));
  EXPECT_TRUE(a->IsLinked());
  EXPECT_FALSE(b->IsLinked());
  EXPECT_EQ(Read(*Open("b")), "a");
  EXPECT_TRUE(absl::IsNotFound(directory_->Unlink("a")));
  ASSERT_TRUE(directory_->Unlink("b").ok());
  EXPECT_FALSE(a->IsLinked());
  // Who has it open keeps it.
  EXPECT_EQ(Read(*a), "a");
}

TEST_F(MemoryFileSystemTest, AFileHasAnEnd) {
  const std::unique_ptr<File> file = Open("a");
  constexpr uint64_t kEnd = uint64_t{4} << 30;
  EXPECT_TRUE(file->Write(kEnd - 1, "x").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(file->Write(kEnd, "x")));
  EXPECT_TRUE(absl::IsResourceExhausted(file->Allocate(kEnd + 1)));
  EXPECT_TRUE(absl::IsResourceExhausted(file->Map(kEnd + 1, /*writable=*/false).status()));
}

}  // namespace
}  // namespace rumcask
