#include "core/log/group_commit.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#include "core/db.h"
#include "core/stats.h"
#include "core/system/mutex.h"
#include "core/testing/map_keystore.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

// A log that is durable as far as it was written when a sync began.
class GroupCommitTest : public testing::Test {
 protected:
  GroupCommitTest() : directory_(*disk_.OpenDirectory("/crash")) {}

  absl::Status Sync() {
    const uint64_t covered = written_.load();
    syncs_.fetch_add(1);
    EXPECT_EQ(running_.fetch_add(1), 0) << "two syncs at a time";
    if (during_sync_) during_sync_();
    running_.fetch_sub(1);
    if (!failure_.ok()) {
      status_.Fail(failure_);
      return failure_;
    }
    commit_.RaiseDurable(covered);
    return absl::OkStatus();
  }

  CrashFileSystem disk_;
  const std::unique_ptr<Directory> directory_;
  LogStatus status_{directory_.get(), nullptr};
  std::atomic<uint64_t> written_{0};
  std::atomic<int> syncs_{0};
  std::atomic<int> running_{0};
  std::function<void()> during_sync_;
  absl::Status failure_;
  GroupCommit commit_{&status_, [this] { return Sync(); }};
};

TEST_F(GroupCommitTest, WhatIsDurableIsNotSyncedAgain) {
  written_ = 5;
  EXPECT_TRUE(commit_.WaitDurable(5).ok());
  EXPECT_EQ(commit_.durable(), 5u);
  EXPECT_TRUE(commit_.WaitDurable(3).ok());
  EXPECT_TRUE(commit_.WaitDurable(5).ok());
  EXPECT_EQ(syncs_, 1);
}

TEST_F(GroupCommitTest, WhatWasWrittenDuringASyncTakesAnother) {
  written_ = 1;
  during_sync_ = [this] { written_ = 2; };
  EXPECT_TRUE(commit_.WaitDurable(2).ok());
  EXPECT_EQ(commit_.durable(), 2u);
  EXPECT_EQ(syncs_, 2);
}

TEST_F(GroupCommitTest, AllWhoWaitHearOfAFailure) {
  failure_ = absl::InternalError("the disk is gone");
  std::atomic<int> told{0};
  std::vector<std::thread> writers;
  for (int i = 0; i < 6; ++i) {
    writers.emplace_back([&] {
      const uint64_t sequence = written_.fetch_add(1) + 1;
      told += absl::IsInternal(commit_.WaitDurable(sequence));
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(told, 6);
  EXPECT_EQ(syncs_, 1);
  EXPECT_EQ(commit_.durable(), 0u);
}

TEST_F(GroupCommitTest, DurableOnlyGrows) {
  commit_.RaiseDurable(7);
  commit_.RaiseDurable(4);
  EXPECT_EQ(commit_.durable(), 7u);
}

TEST_F(GroupCommitTest, AMarkVouchesForTheHighestThatWasAskedForAndIsWrittenOnce) {
  EXPECT_EQ(commit_.mark(), 0u);
  commit_.RaiseMark(4);
  commit_.RaiseMark(9);
  commit_.RaiseMark(6);
  EXPECT_EQ(commit_.mark(), 9u);
  commit_.MarkWritten();
  EXPECT_EQ(commit_.mark(), 0u);
  // What was durable before has had its mark.
  commit_.RaiseDurable(9);
  commit_.RaiseMark(9);
  EXPECT_EQ(commit_.mark(), 0u);
  commit_.RaiseMark(10);
  EXPECT_EQ(commit_.mark(), 10u);
}

// The same with a whole database.
class SharedSyncTest : public testing::Test {
 protected:
  SharedSyncTest() {
    // Long enough for all writers to run meanwhile, on a busy machine too.
    faults_.SetHook([](const Call& call) {
      if (call.kind == CallKind::kSync) std::this_thread::sleep_for(kSync);
    });
    Options options;
    options.create_if_missing = true;
    options.file_system = &faults_;
    options.keystore = TestKeystore();
    db_ = *DB::Open("/crash/db", options);
  }

  void PutSynced(int writer, int count) {
    for (int i = 0; i < count; ++i) {
      const std::string key = std::to_string(writer) + "." + std::to_string(i);
      EXPECT_TRUE(db_->Put(key, "value", {/*sync=*/true}).ok());
    }
  }

  static constexpr std::chrono::milliseconds kSync{50};
  CrashFileSystem disk_;
  FaultFileSystem faults_{&disk_};
  std::unique_ptr<DB> db_;
};

TEST_F(SharedSyncTest, WritersThatComeAgainShareOneSync) {
  constexpr int kWriters = 8;
  constexpr int kPuts = 12;
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([this, i] { PutSynced(i, kPuts); });
  }
  for (std::thread& writer : writers) writer.join();
  // In two halves that take turns they would need twice as many as puts of one writer.
  EXPECT_LE(db_->GetStats().syncs, kPuts * 3 / 2);
}

}  // namespace
}  // namespace rumcask
