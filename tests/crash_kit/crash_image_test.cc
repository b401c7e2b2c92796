// What a power cut leaves. Each test is named after a rule of crash_image.h.

#include "tests/crash_kit/crash_image.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/system/file_system.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/crash_fixture.h"

namespace rumcask {
namespace {

using CrashImageTest = CrashFixture;

// ---- bytes and sizes ----

TEST_F(CrashImageTest, UnsyncedBytesMayBeDroppedAndAreKeptWhenOnlyTheProcessDies) {
  std::unique_ptr<File> file = OpenDurable("f", "old");
  ASSERT_TRUE(file->Write(0, "new!").ok());
  EXPECT_EQ(After(KeepPolicy::DropUnsynced()), (Tree{{"f", "old"}}));
  EXPECT_EQ(After(KeepPolicy::KeepEverything()), (Tree{{"f", "new!"}}));
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(After(KeepPolicy::DropUnsynced()), (Tree{{"f", "new!"}}));
}

TEST_F(CrashImageTest, ASectorKeepsAnyOfItsVersions) {
  std::unique_ptr<File> file = OpenDurable("f", "0");
  for (const char* version : {"1", "2", "3"}) ASSERT_TRUE(file->Write(0, version).ok());
  EXPECT_EQ(RandomOutcomes(),
            (std::set<Tree>{{{"f", "0"}}, {{"f", "1"}}, {{"f", "2"}}, {{"f", "3"}}}));
}

TEST_F(CrashImageTest, SectorsOfOneWriteAreKeptIndependently) {
  const std::string old_sector = Bytes(kSectorSize, 'a');
  const std::string new_sector = Bytes(kSectorSize, 'b');
  std::unique_ptr<File> file = OpenDurable("f", old_sector + old_sector);
  ASSERT_TRUE(file->Write(0, new_sector + new_sector).ok());
  EXPECT_EQ(RandomOutcomes(), (std::set<Tree>{{{"f", old_sector + old_sector}},
                                              {{"f", old_sector + new_sector}},
                                              {{"f", new_sector + old_sector}},
                                              {{"f", new_sector + new_sector}}}));
}

TEST_F(CrashImageTest, SizeAndBytesAreKeptIndependently) {
  std::unique_ptr<File> file = OpenDurable("f", "ab");
  ASSERT_TRUE(file->Write(2, "cd").ok());
  EXPECT_EQ(After(KeepPolicy::DataWithoutSize()), (Tree{{"f", "ab"}}));
  EXPECT_EQ(After(KeepPolicy::SizeWithoutData()), (Tree{{"f", std::string("ab\0\0", 4)}}));
  ASSERT_TRUE(file->Write(4, "ef").ok());
  EXPECT_EQ(RandomOutcomes(), (std::set<Tree>{{{"f", "ab"}},
                                              {{"f", std::string("ab\0\0", 4)}},
                                              {{"f", "abcd"}},
                                              {{"f", std::string("ab\0\0\0\0", 6)}},
                                              {{"f", std::string("abcd\0\0", 6)}},
                                              {{"f", "abcdef"}}}));
}

TEST_F(CrashImageTest, AKeptTruncationRemovesTheBytesForGood) {
  std::unique_ptr<File> file = OpenDurable("f", "secret");
  ASSERT_TRUE(file->Truncate(1).ok());
  ASSERT_TRUE(file->Truncate(3).ok());
  EXPECT_EQ(ReadAll(*file), std::string("s\0\0", 3));
  EXPECT_EQ(RandomOutcomes(),
            (std::set<Tree>{{{"f", "secret"}}, {{"f", "s"}}, {{"f", std::string("s\0\0", 3)}}}));
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(After(KeepPolicy::DropUnsynced()), (Tree{{"f", std::string("s\0\0", 3)}}));
}

TEST_F(CrashImageTest, AWriteAfterATruncationDoesNotBringBackWhatWasCut) {
  std::unique_ptr<File> file = OpenDurable("f", "abcdef");
  ASSERT_TRUE(file->Write(0, "ABCDEF").ok());
  ASSERT_TRUE(file->Truncate(2).ok());
  ASSERT_TRUE(file->Write(6, "78").ok());
  EXPECT_EQ(RandomOutcomes(), (std::set<Tree>{{{"f", "abcdef"}},
                                              {{"f", "ABCDEF"}},
                                              {{"f", std::string("AB\0\0\0\0", 6)}},
                                              {{"f", "ab"}},
                                              {{"f", "AB"}},
                                              {{"f", std::string("ab\0\0\0\0\0\0", 8)}},
                                              {{"f", std::string("AB\0\0\0\0\0\0", 8)}},
                                              {{"f", std::string("AB\0\0\0\00078", 8)}}}));
}

TEST_F(CrashImageTest, ZerosWrittenAfterATruncationMaySurviveWithoutIt) {
  std::unique_ptr<File> file = OpenDurable("f", "ab");
  ASSERT_TRUE(file->Truncate(0).ok());
  ASSERT_TRUE(file->Write(0, Bytes(3, '\0')).ok());
  EXPECT_EQ(RandomOutcomes(),
            (std::set<Tree>{
                {{"f", "ab"}}, {{"f", Bytes(2, '\0')}}, {{"f", ""}}, {{"f", Bytes(3, '\0')}}}));
}

TEST_F(CrashImageTest, BytesPastAKeptSizeDoNotComeBackWhenTheFileGrows) {
  std::unique_ptr<File> file = OpenDurable("f", "ab");
  ASSERT_TRUE(file->Write(2, "cd").ok());
  CrashFileSystem after(fs_.Cut(KeepPolicy::DataWithoutSize()));
  std::unique_ptr<Directory> directory = *after.OpenDirectory(kRoot);
  ASSERT_TRUE((*directory->Open("f", OpenMode::kReadWrite))->Truncate(4).ok());
  EXPECT_EQ(after.Contents(kRoot), (Tree{{"f", std::string("ab\0\0", 4)}}));
}

TEST_F(CrashImageTest, OnlyTheLatestWritesMaySurvive) {
  std::unique_ptr<File> file = OpenDurable("f", Bytes(3 * kSectorSize, '.'));
  for (const char* c : {"1", "2", "3"}) {
    ASSERT_TRUE(file->Write(static_cast<uint64_t>(*c - '1') * kSectorSize, c).ok());
  }
  const std::string one = After(KeepPolicy::OnlyLatestWrites(1)).at("f");
  EXPECT_EQ(std::string({one[0], one[kSectorSize], one[2 * kSectorSize]}), "..3");
  const std::string two = After(KeepPolicy::OnlyLatestWrites(2)).at("f");
  EXPECT_EQ(std::string({two[0], two[kSectorSize], two[2 * kSectorSize]}), ".23");
}

TEST_F(CrashImageTest, ASyncDoesNotCoverWhatIsWrittenWhileItRuns) {
  std::unique_ptr<File> file = OpenDurable("f", "0");
  ASSERT_TRUE(file->Write(0, "1").ok());
  fs_.SetObserver([&](uint64_t, const char* what, const std::string&, bool after) {
    if (std::string(what) != "sync" || after) return;
    EXPECT_TRUE(file->Write(0, "2+").ok());
  });
  ASSERT_TRUE(file->Sync().ok());
  fs_.SetObserver(nullptr);
  EXPECT_EQ(After(KeepPolicy::DropUnsynced()), (Tree{{"f", "1"}}));
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(After(KeepPolicy::DropUnsynced()), (Tree{{"f", "2+"}}));
}

TEST_F(CrashImageTest, AfterAFailedSyncTheNextOneMakesNothingDurable) {
  std::unique_ptr<File> file = OpenDurable("f", "0");
  ASSERT_TRUE(file->Write(0, "1").ok());
  fs_.LoseDirty("/crash/f");
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(After(KeepPolicy::DropUnsynced()), (Tree{{"f", "0"}}));
  EXPECT_EQ(After(KeepPolicy::KeepEverything()), (Tree{{"f", "1"}}));
  // Writing the same bytes again makes them dirty again.
  ASSERT_TRUE(file->Write(0, "1").ok());
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(After(KeepPolicy::DropUnsynced()), (Tree{{"f", "1"}}));
}

// ---- directories ----

TEST_F(CrashImageTest, SyncOfAFileDoesNotMakeItsNameDurable) {
  std::unique_ptr<File> file = Open("f");
  ASSERT_TRUE(file->Write(0, "x").ok());
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(After(KeepPolicy::DropUnsynced()), Tree{});
  EXPECT_EQ(After(KeepPolicy::NewDataOldDirectory()), Tree{});
  ASSERT_TRUE(directory_->Sync().ok());
  EXPECT_EQ(After(KeepPolicy::DropUnsynced()), (Tree{{"f", "x"}}));
}

TEST_F(CrashImageTest, SyncOfADirectoryDoesNotMakeItsFilesBytesDurable) {
  std::unique_ptr<File> file = Open("f");
  ASSERT_TRUE(file->Write(0, "x").ok());
  ASSERT_TRUE(directory_->Sync().ok());
  EXPECT_EQ(After(KeepPolicy::DropUnsynced()), (Tree{{"f", ""}}));
  EXPECT_EQ(After(KeepPolicy::NewDirectoryOldData()), (Tree{{"f", ""}}));
}

TEST_F(CrashImageTest, ARenameHappensAsAWholeOrNotAtAll) {
  OpenDurable("a", "new");
  OpenDurable("b", "old");
  ASSERT_TRUE(directory_->Rename("a", "b").ok());
  EXPECT_EQ(fs_.Contents(kRoot), (Tree{{"b", "new"}}));
  EXPECT_EQ(RandomOutcomes(), (std::set<Tree>{{{"a", "new"}, {"b", "old"}}, {{"b", "new"}}}));
}

TEST_F(CrashImageTest, ARenameOverAFileMayLeaveAnEmptyOneIfItsBytesWereNotSynced) {
  OpenDurable("b", "old");
  std::unique_ptr<File> file = Open("a");
  ASSERT_TRUE(file->Write(0, "new").ok());
  ASSERT_TRUE(directory_->Rename("a", "b").ok());
  EXPECT_EQ(After(KeepPolicy::NewDirectoryOldData()), (Tree{{"b", ""}}));
}

TEST_F(CrashImageTest, AnUnlinkMayBeUndone) {
  OpenDurable("f", "x");
  ASSERT_TRUE(directory_->Unlink("f").ok());
  EXPECT_EQ(RandomOutcomes(), (std::set<Tree>{{}, {{"f", "x"}}}));
  ASSERT_TRUE(directory_->Sync().ok());
  EXPECT_EQ(RandomOutcomes(), std::set<Tree>{Tree{}});
}

TEST_F(CrashImageTest, AnySubsetOfEntryOperationsSurvives) {
  for (const char* name : {"a", "b", "c"}) Open(name);
  EXPECT_EQ(RandomOutcomes().size(), 8u);
}

TEST_F(CrashImageTest, ADirectoryIsDurableOnceItsParentWasSynced) {
  ASSERT_TRUE(fs_.CreateDirectory("/crash/sub").ok());
  EXPECT_EQ(fs_.CreateDirectory("/crash/sub").code(), absl::StatusCode::kAlreadyExists);
  std::unique_ptr<Directory> sub = *fs_.OpenDirectory("/crash/sub");
  ASSERT_TRUE(sub->Open("f", OpenMode::kCreateNew).ok());
  ASSERT_TRUE(sub->Sync().ok());
  EXPECT_EQ(After(KeepPolicy::DropUnsynced()), Tree{});
  ASSERT_TRUE(fs_.SyncParent("/crash/sub").ok());
  EXPECT_EQ(After(KeepPolicy::DropUnsynced()), (Tree{{"sub/", ""}, {"sub/f", ""}}));
}

TEST_F(CrashImageTest, SpellingsOfOneDirectoryHaveOneIdentityAndFileSystemsDiffer) {
  const DirectoryIdentity identity = directory_->identity();
  const DirectoryIdentity again = (*fs_.OpenDirectory("//crash/./x/../"))->identity();
  EXPECT_EQ(identity.device, again.device);
  EXPECT_EQ(identity.inode, again.inode);
  CrashFileSystem after(fs_.Cut(KeepPolicy::KeepEverything()));
  EXPECT_NE((*after.OpenDirectory(kRoot))->identity().device, identity.device);
  EXPECT_EQ(fs_.OpenDirectory("/other").status().code(), absl::StatusCode::kNotFound);
}

// ---- the death of the process ----

TEST_F(CrashImageTest, WhatADeadProcessWroteMayStillBeLost) {
  std::unique_ptr<File> file = OpenDurable("f", Bytes(3 * kSectorSize, 'a'));
  ASSERT_TRUE(file->TryLock(LockKind::kExclusive).ok());
  ASSERT_TRUE(file->Write(kSectorSize, Bytes(kSectorSize, 'b')).ok());
  ASSERT_TRUE(file->Write(3 * kSectorSize, Bytes(5, 'c')).ok());
  Open("g");
  ASSERT_TRUE(directory_->Rename("g", "h").ok());
  const std::set<Tree> outcomes = RandomOutcomes();
  const Tree now = After(KeepPolicy::KeepEverything());
  const Tree durable = After(KeepPolicy::DropUnsynced());

  const std::unique_ptr<CrashFileSystem> next = fs_.AfterKill();
  EXPECT_EQ(next->Contents(kRoot), now);
  EXPECT_EQ(ContentsOf(next->Cut(KeepPolicy::DropUnsynced())), durable);
  std::set<Tree> next_outcomes;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    next_outcomes.insert(ContentsOf(next->Cut(KeepPolicy::Random(seed))));
  }
  EXPECT_EQ(next_outcomes, outcomes);
  // What the next process syncs is durable, whichever process wrote it; and nobody holds the lock.
  const std::unique_ptr<Directory> directory = *next->OpenDirectory(kRoot);
  const std::unique_ptr<File> again = *directory->Open("f", OpenMode::kReadWrite);
  EXPECT_TRUE(again->TryLock(LockKind::kExclusive).ok());
  ASSERT_TRUE(again->Sync().ok());
  ASSERT_TRUE(directory->Sync().ok());
  EXPECT_EQ(ContentsOf(next->Cut(KeepPolicy::DropUnsynced())), now);
  // The two file systems are independent now.
  EXPECT_EQ(After(KeepPolicy::DropUnsynced()), durable);
  ASSERT_TRUE(file->Write(0, Bytes(kSectorSize, 'd')).ok());
  EXPECT_EQ(next->Contents(kRoot), now);
}

// ---- the model as a whole ----

TEST_F(CrashImageTest, RandomOperationsAgreeWithAPlainString) {
  std::unique_ptr<File> file = OpenDurable("f", "");
  std::string bytes;
  std::vector<std::string> since_sync = {bytes};
  uint64_t random = 1;
  const auto below = [&random](uint64_t n) {
    random = random * 6364136223846793005 + 1442695040888963407;
    return (random >> 33) % n;
  };
  for (uint64_t step = 0; step < 1000; ++step) {
    const uint64_t offset = below(3000);
    const uint64_t kind = below(10);
    if (kind < 6) {
      const std::string data(1 + below(900), kind == 0 ? '\0' : static_cast<char>('a' + step % 26));
      if (bytes.size() < offset + data.size()) bytes.resize(offset + data.size());
      bytes.replace(offset, data.size(), data);
      ASSERT_TRUE(file->Write(offset, data).ok());
    } else if (kind < 8) {
      bytes.resize(offset);
      ASSERT_TRUE(file->Truncate(offset).ok());
    }
    since_sync.push_back(bytes);
    if (kind == 9) {
      ASSERT_TRUE(file->Sync().ok());
      since_sync = {bytes};
    }
    ASSERT_EQ(ReadAll(*file), bytes);
    ASSERT_EQ(After(KeepPolicy::KeepEverything()).at("f"), bytes);
    ASSERT_EQ(After(KeepPolicy::DropUnsynced()).at("f"), since_sync.front());
    // Each sector has a state that it had since the sync, clipped to the size, or is zero.
    const std::string cut = After(KeepPolicy::Random(step)).at("f");
    for (size_t begin = 0; begin < cut.size(); begin += kSectorSize) {
      const size_t size = std::min(kSectorSize, cut.size() - begin);
      std::set<std::string> allowed;
      for (std::string state : since_sync) {
        state.resize(std::max(state.size(), begin + size));
        // A truncation that was kept clears the end of any state before it.
        for (const std::string& later : since_sync) {
          std::string clipped = state.substr(begin, size);
          const size_t kept = std::min(size, later.size() - std::min(later.size(), begin));
          allowed.insert(clipped.replace(kept, size - kept, size - kept, '\0'));
        }
        allowed.insert(state.substr(begin, size));
      }
      ASSERT_EQ(allowed.count(cut.substr(begin, size)), 1u) << "step " << step << " at " << begin;
    }
  }
}

TEST_F(CrashImageTest, EqualSeedsCutEqually) {
  std::unique_ptr<File> file = OpenDurable("f", Bytes(64 * kSectorSize, '.'));
  ASSERT_TRUE(file->Write(0, Bytes(80 * kSectorSize, 'x')).ok());
  for (uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(After(KeepPolicy::Random(seed)), After(KeepPolicy::Random(seed)));
  }
}

TEST_F(CrashImageTest, ZerosCostNothing) {
  std::unique_ptr<File> file = Open("f");
  ASSERT_TRUE(file->Truncate(uint64_t{1} << 40).ok());
  ASSERT_TRUE(file->Write(1 << 20, Bytes(1 << 20, '\0')).ok());
  const CrashImage image = fs_.Cut(KeepPolicy::KeepEverything());
  EXPECT_TRUE(image.tree->files.begin()->second.sectors->empty());
}

}  // namespace
}  // namespace rumcask
