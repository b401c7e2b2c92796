// How the file system layer handles a failing fdatasync. The kernel reports a failed write-back
// only once, to one of the callers, so the error must be remembered. EINTR is not a failure.

#include <memory>
#include <thread>
#include <utility>

#include "gtest/gtest.h"

#include "core/system/file_system.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

class SyncErrorsTest : public testing::Test {
 protected:
  void FailSync(Fault fault, CallKind kind = CallKind::kSync) {
    FaultPlan plan;
    plan.call = 1;
    plan.fault = fault;
    plan.matches = [kind](const Call& call) { return call.kind == kind; };
    faults_.SetPlan(std::move(plan));
  }

  CrashFileSystem disk_;
  FaultFileSystem faults_{&disk_};
  std::unique_ptr<Directory> directory_ = *faults_.OpenDirectory("/crash");
  std::unique_ptr<File> file_ = *directory_->Open("f", OpenMode::kCreateNew);
};

TEST_F(SyncErrorsTest, AnInterruptedSyncIsRepeated) {
  FailSync(Fault::kEintr);
  EXPECT_TRUE(file_->Sync().ok());
  EXPECT_EQ(faults_.call_count(), 2u);
  FailSync(Fault::kEintr, CallKind::kSyncDirectory);
  EXPECT_TRUE(directory_->Sync().ok());
  EXPECT_EQ(faults_.call_count(), 2u);
  FailSync(Fault::kEintr, CallKind::kSyncParent);
  EXPECT_TRUE(faults_.SyncParent("/crash/db").ok());
  EXPECT_EQ(faults_.call_count(), 2u);
}

TEST_F(SyncErrorsTest, AFailedSyncStaysFailedAndIsNotRepeated) {
  FailSync(Fault::kEnospc);
  const absl::Status first = file_->Sync();
  EXPECT_TRUE(absl::IsResourceExhausted(first)) << first;
  EXPECT_EQ(file_->Sync(), first);
  EXPECT_EQ(faults_.call_count(), 1u);
}

TEST_F(SyncErrorsTest, ASecondThreadsSyncDoesNotHideTheFirstOnes) {
  // The second sync begins while the first one is in the kernel.
  FailSync(Fault::kEio);
  std::thread second;
  absl::Status second_status;
  bool started = false;
  faults_.SetHook([&](const Call& call) {
    if (call.kind != CallKind::kSync || std::exchange(started, true)) return;
    second = std::thread([&] { second_status = file_->Sync(); });
  });
  EXPECT_FALSE(file_->Sync().ok());
  ASSERT_TRUE(started);
  second.join();
  EXPECT_FALSE(second_status.ok());
  EXPECT_EQ(faults_.call_count(), 1u);
}

}  // namespace
}  // namespace rumcask
