#include "tests/crash_kit/fault_file_system.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/system/file_system.h"
#include "tests/crash_kit/crash_file_system.h"

namespace rumcask {
namespace {

class FaultFileSystemTest : public testing::Test {
 protected:
  void SetPlan(uint64_t call, Fault fault, bool for_ever = false,
               std::function<bool(const Call&)> matches = nullptr) {
    FaultPlan plan;
    plan.call = call;
    plan.fault = fault;
    plan.for_ever = for_ever;
    plan.matches = std::move(matches);
    fs_.SetPlan(std::move(plan));
  }

  static std::function<bool(const Call&)> Only(CallKind kind) {
    return [kind](const Call& call) { return call.kind == kind; };
  }

  std::string Contents() { return crash_.Contents("/crash").at("f"); }

  CrashFileSystem crash_{"/crash"};
  FaultFileSystem fs_{&crash_};
  std::unique_ptr<Directory> directory_ = *fs_.OpenDirectory("/crash");
  std::unique_ptr<File> file_ = *directory_->Open("f", OpenMode::kCreateNew);
};

TEST_F(FaultFileSystemTest, WithoutAPlanEverythingWorks) {
  ASSERT_TRUE(file_->Write(0, "hello").ok());
  std::unique_ptr<MappedRegion> region = *file_->Map(4096, /*writable=*/true);
  region->data()[0] = 'J';
  region->Wrote(0, 1);
  EXPECT_EQ(Contents(), "Jello");
  EXPECT_EQ(fs_.fault_count(), 0u);
}

TEST_F(FaultFileSystemTest, AnyErrnoCanBeAskedFor) {
  FaultPlan plan;
  plan.call = 1;
  plan.error = EROFS;
  fs_.SetPlan(std::move(plan));
  EXPECT_EQ(file_->Write(0, "a").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(fs_.fault_count(), 1u);
}

TEST_F(FaultFileSystemTest, TheNthCallFailsOnce) {
  SetPlan(2, Fault::kEnospc);
  EXPECT_TRUE(file_->Write(0, "a").ok());
  EXPECT_EQ(file_->Write(1, "b").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(file_->Write(1, "c").ok());
  EXPECT_EQ(Contents(), "ac");
  EXPECT_EQ(fs_.call_count(), 3u);
  EXPECT_EQ(fs_.fault_count(), 1u);
}

TEST_F(FaultFileSystemTest, AllCallsFromTheNthOnFail) {
  SetPlan(2, Fault::kEio, /*for_ever=*/true);
  EXPECT_TRUE(file_->Sync().ok());
  EXPECT_EQ(file_->Sync().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(file_->Size().status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(directory_->List().status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(fs_.fault_count(), 3u);
}

TEST_F(FaultFileSystemTest, EveryKindOfCallCountsAndFails) {
  std::unique_ptr<MappedRegion> region;
  // Each File is used once, because one whose sync has failed does not call the system again.
  std::vector<std::unique_ptr<File>> unsynced;
  for (int i = 0; i < 3; ++i) unsynced.push_back(*directory_->Open("f", OpenMode::kReadWrite));
  const std::vector<std::pair<CallKind, std::function<absl::Status()>>> calls = {
      {CallKind::kCreateDirectory, [&] { return fs_.CreateDirectory("/crash/d"); }},
      {CallKind::kSyncParent, [&] { return fs_.SyncParent("/crash/d"); }},
      {CallKind::kOpenDirectory, [&] { return fs_.OpenDirectory("/crash/d").status(); }},
      {CallKind::kOpen, [&] { return directory_->Open("g", OpenMode::kCreateNew).status(); }},
      {CallKind::kRename, [&] { return directory_->Rename("g", "h"); }},
      {CallKind::kUnlink, [&] { return directory_->Unlink("h"); }},
      {CallKind::kSyncDirectory, [&] { return directory_->Sync(); }},
      {CallKind::kList, [&] { return directory_->List().status(); }},
      {CallKind::kWrite, [&] { return file_->Write(0, "x"); }},
      {CallKind::kRead,
       [&] {
         char byte;
         return file_->Read(0, &byte, 1);
       }},
      {CallKind::kTruncate, [&] { return file_->Truncate(100); }},
      {CallKind::kSync,
       [&] {
         const std::unique_ptr<File> file = std::move(unsynced.back());
         unsynced.pop_back();
         return file->Sync();
       }},
      {CallKind::kSize, [&] { return file_->Size().status(); }},
      {CallKind::kMap,
       [&] {
         absl::StatusOr<std::unique_ptr<MappedRegion>> mapped = file_->Map(4096, true);
         if (mapped.ok()) region = *std::move(mapped);
         return mapped.status();
       }},
      {CallKind::kProtectReadOnly, [&] { return region->ProtectReadOnly(); }},
      {CallKind::kLock, [&] { return file_->TryLock(LockKind::kShared); }},
  };
  for (const auto& [kind, make] : calls) {
    SetPlan(1, Fault::kEmfile);
    EXPECT_EQ(make().code(), absl::StatusCode::kResourceExhausted) << CallKindName(kind);
    SetPlan(1, Fault::kEmfile, /*for_ever=*/true, Only(kind));
    EXPECT_EQ(make().code(), absl::StatusCode::kResourceExhausted) << CallKindName(kind);
    EXPECT_EQ(fs_.call_count(), 1u) << CallKindName(kind);
    SetPlan(0, Fault::kEio);
    EXPECT_TRUE(make().ok()) << CallKindName(kind);
    EXPECT_EQ(fs_.call_count(), 1u) << CallKindName(kind);
  }
}

TEST_F(FaultFileSystemTest, AnInterruptedCallWorksWhenRepeated) {
  SetPlan(1, Fault::kEintr);
  EXPECT_TRUE(file_->Write(0, "abc").ok());
  EXPECT_EQ(fs_.call_count(), 2u);
  SetPlan(1, Fault::kEintr, /*for_ever=*/true);
  EXPECT_TRUE(file_->Write(3, "def").ok());
  EXPECT_EQ(*file_->Size(), 6u);
  EXPECT_EQ(fs_.call_count(), 4u);
  EXPECT_EQ(fs_.fault_count(), 2u);
  EXPECT_EQ(Contents(), "abcdef");
}

TEST_F(FaultFileSystemTest, AnInterruptedSyncIsRepeated) {
  SetPlan(1, Fault::kEintr, /*for_ever=*/false, Only(CallKind::kSync));
  EXPECT_TRUE(file_->Sync().ok());
  EXPECT_EQ(fs_.call_count(), 2u);
}

TEST_F(FaultFileSystemTest, AShortTransferMovesHalfAndIsContinued) {
  SetPlan(1, Fault::kShort);
  EXPECT_TRUE(file_->Write(0, "abcdefgh").ok());
  EXPECT_EQ(fs_.call_count(), 2u);
  // 8 = 4 + 2 + 1 + 1, because a transfer of one byte is not shortened.
  SetPlan(1, Fault::kShort, /*for_ever=*/true);
  char bytes[8];
  ASSERT_TRUE(file_->Read(0, bytes, sizeof(bytes)).ok());
  EXPECT_EQ(std::string(bytes, sizeof(bytes)), "abcdefgh");
  EXPECT_EQ(fs_.call_count(), 4u);
  EXPECT_EQ(fs_.fault_count(), 3u);
}

TEST_F(FaultFileSystemTest, AFullDiskTakesHalfAndNoMore) {
  SetPlan(2, Fault::kFull);
  EXPECT_TRUE(file_->Write(0, "ab").ok());
  EXPECT_EQ(file_->Write(2, "cdef").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Contents(), "abcd");
  EXPECT_TRUE(file_->Write(4, "ef").ok());
  SetPlan(1, Fault::kFull, /*for_ever=*/true);
  EXPECT_FALSE(file_->Write(6, "gh").ok());
  EXPECT_FALSE(file_->Write(7, "h").ok());
  EXPECT_TRUE(file_->Truncate(6).ok());
  EXPECT_TRUE(file_->Sync().ok());
  EXPECT_EQ(Contents(), "abcdef");
  EXPECT_EQ(fs_.fault_count(), 3u);
}

TEST_F(FaultFileSystemTest, AShortWriteOfPiecesEndsInAnyPiece) {
  SetPlan(1, Fault::kShort, /*for_ever=*/true);
  std::vector<size_t> sizes;
  crash_.SetObserver([&](uint64_t, const char*, const std::string&, bool after) {
    if (after) sizes.push_back(Contents().size());
  });
  std::string pieces[] = {"a", "bcdefg", "hi"};
  ASSERT_TRUE(file_
                  ->Write(0, std::vector<iovec>{{pieces[0].data(), pieces[0].size()},
                                                {pieces[1].data(), pieces[1].size()},
                                                {pieces[2].data(), pieces[2].size()}})
                  .ok());
  EXPECT_EQ(Contents(), "abcdefghi");
  EXPECT_EQ(sizes, (std::vector<size_t>{4, 6, 7, 8, 9}));
}

TEST_F(FaultFileSystemTest, ErrorsOfTheBaseComeThrough) {
  EXPECT_EQ(fs_.OpenDirectory("/none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(directory_->Open("f", OpenMode::kCreateNew).status().code(),
            absl::StatusCode::kAlreadyExists);
  ASSERT_TRUE(file_->TryLock(LockKind::kExclusive).ok());
  std::unique_ptr<File> other = *directory_->Open("f", OpenMode::kReadOnly);
  EXPECT_EQ(other->TryLock(LockKind::kShared).code(), absl::StatusCode::kUnavailable);
}

TEST_F(FaultFileSystemTest, AFailedSyncCanLosePages) {
  ASSERT_TRUE(directory_->Sync().ok());
  ASSERT_TRUE(file_->Write(0, "x").ok());
  FaultPlan plan;
  plan.call = 1;
  plan.matches = Only(CallKind::kSync);
  plan.on_fault = [this](const Call& call) { crash_.LoseDirty(call.name); };
  fs_.SetPlan(plan);
  EXPECT_FALSE(file_->Sync().ok());
  // Like a program that opens the file again.
  EXPECT_TRUE((*directory_->Open("f", OpenMode::kReadWrite))->Sync().ok());
  const CrashFileSystem after(crash_.Cut(KeepPolicy::DropUnsynced()));
  EXPECT_EQ(after.Contents("/crash").at("f"), std::string(1, '\0'));
}

TEST_F(FaultFileSystemTest, ARangeCantBeReadByAnyCall) {
  ASSERT_TRUE(file_->Write(0, std::string(512, 'a') + std::string(512, 'b') + "cc").ok());
  fs_.SetUnreadable({{"/crash/f", 512, 1024}, {"/crash/g", 0, 1}});
  std::string bytes(2048, '?');
  for (int i = 0; i < 2; ++i) {
    const std::unique_ptr<File> file = *directory_->Open("f", OpenMode::kReadOnly);
    EXPECT_TRUE(file->Read(0, bytes.data(), 512).ok());
    EXPECT_EQ(file->Read(0, bytes.data(), 513).code(), absl::StatusCode::kInternal);
    EXPECT_EQ(file->Read(511, bytes.data(), 2).code(), absl::StatusCode::kInternal);
    EXPECT_EQ(file->Read(700, bytes.data(), 1).code(), absl::StatusCode::kInternal);
    EXPECT_EQ(file->ReadUpTo(0, bytes.data(), bytes.size()).status().code(),
              absl::StatusCode::kInternal);
    EXPECT_TRUE(file->Read(1024, bytes.data(), 2).ok());
    EXPECT_EQ(*file->ReadUpTo(1025, bytes.data(), 10), 1u);
    EXPECT_EQ(*file->ReadUpTo(2000, bytes.data(), 10), 0u);
  }
  EXPECT_GT(fs_.unreadable_count(), 0u);
  // The plan did not cause this.
  EXPECT_EQ(fs_.fault_count(), 0u);
  // Writes succeed but do not make the bytes readable.
  EXPECT_TRUE(file_->Write(600, "x").ok());
  EXPECT_EQ(Contents()[600], 'x');
  EXPECT_FALSE(file_->Read(600, bytes.data(), 1).ok());
  fs_.SetUnreadable({});
  EXPECT_TRUE(file_->Read(0, bytes.data(), 1026).ok());
  EXPECT_EQ(bytes.substr(511, 2), "ab");
}

TEST_F(FaultFileSystemTest, ARangeMayRefuseWrites) {
  ASSERT_TRUE(file_->Write(0, std::string(1024, 'a')).ok());
  fs_.SetUnreadable({{"/crash/f", 512, 1024, /*refuses_writes=*/true}});
  EXPECT_TRUE(file_->Write(0, std::string(512, 'b')).ok());
  EXPECT_EQ(file_->Write(0, std::string(600, 'c')).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(file_->Write(1023, "cc").code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(file_->Write(1024, "d").ok());
  // The bytes before the range were written.
  EXPECT_EQ(Contents(), std::string(512, 'c') + std::string(512, 'a') + "d");
}

TEST_F(FaultFileSystemTest, WhatCantBeReadIsNotMapped) {
  ASSERT_TRUE(file_->Write(0, std::string(1024, 'a')).ok());
  const std::unique_ptr<MappedRegion> before = *file_->Map(4096, /*writable=*/false);
  fs_.SetUnreadable({{"/crash/f", 512, 1024}});
  EXPECT_EQ(file_->Map(4096, /*writable=*/false).status().code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(file_->Map(512, /*writable=*/false).ok());
  EXPECT_EQ(before->data()[600], 'a');
  // Behind the end of the file there is nothing that could be unreadable.
  fs_.SetUnreadable({{"/crash/f", 1024, 2048}});
  EXPECT_TRUE(file_->Map(4096, /*writable=*/false).ok());
}

TEST_F(FaultFileSystemTest, AHookStopsOneThreadInsideASync) {
  std::mutex mutex;
  std::condition_variable changed;
  bool inside = false;
  bool released = false;
  fs_.SetHook([&](const Call& call) {
    if (call.kind != CallKind::kSync || call.name != "/crash/f") return;
    std::unique_lock<std::mutex> lock(mutex);
    inside = true;
    changed.notify_all();
    while (!released) changed.wait(lock);
  });
  std::thread sealer([&] { EXPECT_TRUE(file_->Sync().ok()); });
  {
    std::unique_lock<std::mutex> lock(mutex);
    while (!inside) changed.wait(lock);
  }
  EXPECT_TRUE(file_->Write(0, "written meanwhile").ok());
  {
    std::unique_lock<std::mutex> lock(mutex);
    released = true;
  }
  changed.notify_all();
  sealer.join();
}

}  // namespace
}  // namespace rumcask
