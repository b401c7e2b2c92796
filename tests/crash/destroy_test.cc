// DB::Destroy, cut or failed at each of its calls.

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "tests/crash/holes_fixture.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

constexpr int kKeys = 40;

class DestroyTest : public HolesTest {
 protected:
  DestroyTest() {
    Open();
    for (int i = 0; i < kKeys; ++i) Put(Key(i), std::string(400, 'v'));
    options_.create_if_missing = false;
  }

  // The database is there with all that it had, or it is none, and can be destroyed again; and then
  // there is room for a new one.
  void ExpectAllOrNothing() {
    const absl::Status status = TryOpen();
    if (status.ok()) {
      ++whole_;
      EXPECT_EQ(PrefixLength(), kKeys);
      db_.reset();
    } else if (absl::IsDataLoss(status)) {
      ++parts_;
      // It says that it is no database any more.
      EXPECT_TRUE(absl::StrContains(status.message(), "MANIFEST: missing")) << status;
    } else {
      ++gone_;
      EXPECT_TRUE(absl::IsNotFound(status)) << status;
    }
    const absl::Status again = DB::Destroy(kPath, disk_.get());
    EXPECT_TRUE(again.ok() || (!status.ok() && absl::IsNotFound(again))) << again;
    ExpectANewOne();
  }
  // The directory itself may stay.
  static bool IsAnythingIn(const CrashFileSystem& disk) {
    std::map<std::string, std::string> files = disk.Contents("/crash");
    files.erase("db/");
    return !files.empty();
  }
  void ExpectANewOne() {
    options_.create_if_missing = true;
    Open();
    ASSERT_NE(db_, nullptr);
    EXPECT_EQ(PrefixLength(), 0);
    Put(Key(0), "new", /*sync=*/true);
    CutPower(KeepPolicy::DropUnsynced());
    options_.create_if_missing = false;
    Open();
    EXPECT_EQ(Get(Key(0)), "new");
  }

  int whole_ = 0;
  int parts_ = 0;
  int gone_ = 0;
};

INSTANTIATE_TEST_SUITE_P(AppendModes, DestroyTest,
                         testing::Values(AppendMode::kMapped, AppendMode::kWrite));

TEST_P(DestroyTest, ACutLeavesAllOrNothing) {
  // As a database is that was closed, and as one is whose process was killed.
  for (const bool closed : {true, false}) {
    SCOPED_TRACE(closed);
    if (closed) {
      ASSERT_TRUE(db_->Close().ok());
      db_.reset();
    } else {
      db_.reset();
      Open();
      Put(Key(0), "unsynced");
      GoOnWith(disk_->AfterKill());
    }
    const CrashImage before = disk_->Cut(KeepPolicy::KeepEverything());
    std::vector<CrashImage> images;
    std::vector<KeepPolicy> policies = KeepPolicy::AllFixed();
    for (int seed = 0; seed < 8; ++seed) policies.push_back(KeepPolicy::Random(seed));
    disk_->SetObserver([&](uint64_t, const char*, const std::string&, bool after) {
      if (after) return;
      for (const KeepPolicy& policy : policies) images.push_back(disk_->Cut(policy));
    });
    const absl::Status status = DB::Destroy(kPath, disk_.get());
    ASSERT_TRUE(status.ok()) << status;
    disk_->SetObserver(nullptr);
    // What it has said survives whatever a disk may forget.
    for (const KeepPolicy& policy : policies) {
      const CrashFileSystem later(disk_->Cut(policy));
      EXPECT_EQ(later.Contents("/crash").count("db/"), 0u) << policy.ToString();
    }
    ASSERT_GT(images.size(), policies.size() * 10);
    for (const CrashImage& image : images) {
      StartFrom(image);
      ExpectAllOrNothing();
      if (HasFailure()) return;
    }
    EXPECT_GT(whole_, 0);
    EXPECT_GT(parts_, 0);
    EXPECT_GT(gone_, 0);
    StartFrom(before);
  }
}

TEST_P(DestroyTest, AnErrorIsToldAndASecondCallGoesOn) {
  ASSERT_TRUE(db_->Close().ok());
  db_.reset();
  const CrashImage before = disk_->Cut(KeepPolicy::KeepEverything());
  uint64_t failures = 0;
  for (uint64_t n = 1;; ++n) {
    SCOPED_TRACE(n);
    StartFrom(before);
    FaultFileSystem faults(disk_.get());
    FaultPlan plan;
    plan.call = n;
    plan.fault = Fault::kEio;
    (void)faults.SetPlan(plan);
    const absl::Status status = DB::Destroy(kPath, &faults);
    if (status.ok() && faults.call_count() < n) break;
    if (status.ok()) {
      EXPECT_FALSE(IsAnythingIn(*disk_));
      EXPECT_FALSE(IsAnythingIn(CrashFileSystem(disk_->Cut(KeepPolicy::DropUnsynced()))));
    } else {
      ++failures;
      EXPECT_TRUE(absl::StrContains(status.message(), "/crash/db")) << status;
      ExpectAllOrNothing();
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(failures, 15u);
}

}  // namespace
}  // namespace rumcask
