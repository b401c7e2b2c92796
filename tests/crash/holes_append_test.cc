// Holes about failed appends while the database stays in use. A failed append must not hide the
// records written after it, and must give back the disk space that it reserved.

#include <cerrno>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "core/check/verify.h"
#include "core/damage.h"
#include "core/format/format.h"
#include "core/stats.h"
#include "tests/crash/holes_fixture.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

constexpr size_t kKiB = 1024;

// Larger than the space first reserved for a new segment: on a full disk there is room for the
// segment's header but not for this value.
const std::string& Large() {
  static const std::string* const value = new std::string(100 * kKiB, 'l');
  return *value;
}

class HolesAppendTest : public HolesTest {
 protected:
  // Non-empty segment files that the database does not list.
  std::vector<std::string> StrayFiles() {
    std::map<std::string, std::string> files = Files();
    for (const SegmentStats& segment : db_->GetStats().segments)
      files.erase(SegmentName(segment.id));
    std::vector<std::string> stray;
    for (const auto& [name, bytes] : files) {
      const bool holds = bytes.find_first_not_of('\0') != std::string::npos;
      if (absl::EndsWith(name, ".seg") && holds) stray.push_back(name);
    }
    return stray;
  }

  uint64_t DiskBytes() {
    uint64_t bytes = 0;
    for (const auto& [name, contents] : disk_->Contents("/crash")) bytes += contents.size();
    return bytes;
  }

  // Remembers the write if it returned OK.
  void TryPut(const std::string& key, const std::string& value, bool sync = false) {
    if (db_->Put(key, value, {sync}).ok()) acknowledged_[key] = value;
  }
  void ExpectAcknowledged() {
    for (const auto& [key, value] : acknowledged_) {
      const auto found = db_->Get(key);
      ASSERT_TRUE(found.ok()) << key << ": " << found.status();
      EXPECT_TRUE(*found == value) << key;
    }
  }
  // What an application may do after a failed write: a larger write, a synced one, a batch and a
  // small one, beginning with the `first`-th of them.
  void GoOn(const std::string& round, int first) {
    for (int i = 0; i < 4; ++i) {
      switch ((first + i) % 4) {
        case 0:
          TryPut("larger" + round, Large() + Large());
          break;
        case 1:
          TryPut("synced" + round, std::string(3000, 's'), /*sync=*/true);
          break;
        case 2: {
          WriteBatch batch;
          batch.Put("first" + round, std::string(3000, 'f'));
          batch.Put("last" + round, std::string(3000, 'l'));
          if (!db_->Write(batch).ok()) break;
          acknowledged_["first" + round] = std::string(3000, 'f');
          acknowledged_["last" + round] = std::string(3000, 'l');
          break;
        }
        default:
          TryPut("small" + round, "value");
      }
    }
  }

  std::map<std::string, std::string> acknowledged_;
};

// The disk is full while a large record is written into a segment begun for it. Later there is room
// again, and a larger record goes into another new segment.
TEST_P(HolesAppendTest, APutThatFailsLeavesNoSegmentBehind) {
  Open();
  Put("first", "value", /*sync=*/true);
  const size_t segments = db_->GetStats().segments.size();
  disk_->SetCapacity(DiskBytes() + 80 * kKiB);
  const absl::Status status = db_->Put("too large", Large());
  ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(db_->GetStats().segments.size(), segments);
  EXPECT_EQ(StrayFiles(), std::vector<std::string>());
  disk_->SetCapacity(UINT64_MAX);
  Put("larger", Large() + Large(), /*sync=*/true);
  Put("after", "carries the mark");
  Kill();
  ASSERT_TRUE(TryOpen().ok());
  EXPECT_EQ(Get("first"), "value");
  EXPECT_TRUE(Get("larger") == Large() + Large());
  EXPECT_EQ(Get("after"), "carries the mark");
}

// Every system call of such a put fails with each error, once or for the rest of the put.
TEST_P(HolesAppendTest, WhateverFailsWhatIsWrittenAfterwardsIsFoundAgain) {
  Open();
  Put("before", "value", /*sync=*/true);
  Put("unsynced", "value");
  const CrashImage image = disk_->Cut(KeepPolicy::KeepEverything());
  uint64_t failed_puts = 0;
  for (const int error : {ENOSPC, EDQUOT, EIO}) {
    for (const bool for_ever : {false, true}) {
      for (int threads = 0; threads <= 2; ++threads) {
        for (uint64_t call = 1;; ++call) {
          SCOPED_TRACE(absl::StrCat("errno ", error, for_ever ? " for ever" : "", ", ", threads,
                                    " threads, call ", call));
          StartFrom(image);
          FaultFileSystem faults(disk_.get());
          options_.file_system = &faults;
          options_.background_threads = threads;
          Open();
          acknowledged_ = {{"before", "value"}, {"unsynced", "value"}};
          // This write makes the database writable and fills most of a segment.
          TryPut("begun", std::string(3000, 'b'));
          FaultPlan plan;
          plan.call = (call + 3) / 4;
          plan.error = error;
          plan.for_ever = for_ever;
          faults.SetPlan(plan);
          const bool put = db_->Put("large", Large()).ok();
          const bool failed = faults.fault_count() > 0;
          if (put) acknowledged_["large"] = Large();
          if (!put) ++failed_puts;
          EXPECT_TRUE(put || failed);
          faults.SetPlan({});
          for (const SegmentStats& segment : db_->GetStats().segments) {
            EXPECT_GT(segment.records, 0u);
          }
          if (db_->BackgroundStatus().ok()) {
            EXPECT_EQ(StrayFiles(), std::vector<std::string>());
          }
          GoOn("1", static_cast<int>(call % 4));
          ExpectAcknowledged();
          Kill();
          Open();
          ExpectAcknowledged();
          GoOn("2", 0);
          ASSERT_TRUE(db_->Sync().ok());
          CutPower(KeepPolicy::DropUnsynced());
          Open();
          ExpectAcknowledged();
          auto report = db_->Verify();
          ASSERT_TRUE(report.ok()) << report.status();
          for (const Damage& damage : report->damages) ADD_FAILURE() << DamageStatus(damage);
          db_.reset();
          ASSERT_FALSE(HasFailure());
          if (!failed && call % 4 == 0) break;
        }
      }
    }
  }
  EXPECT_GT(failed_puts, 80u);
}

// If a failed append cannot be undone, no further write is accepted: a scan could find the rest of
// the failed record behind later ones. In mapped mode there is nothing to undo.
TEST_P(HolesAppendTest, AnAppendThatCannotBeUndoneIsFinal) {
  FaultFileSystem faults(disk_.get());
  options_.file_system = &faults;
  Open();
  Put("before", "value", /*sync=*/true);
  FaultPlan plan;
  plan.call = 2;
  plan.for_ever = true;
  plan.matches = [](const Call& call) {
    return call.kind == CallKind::kWrite || call.kind == CallKind::kTruncate;
  };
  // The first half of the batch reaches the file.
  faults.SetHook([&, cut = false](const Call& call) mutable {
    if (call.kind == CallKind::kWrite && !std::exchange(cut, true)) {
      disk_->SetCapacity(DiskBytes() + kKiB);
    }
  });
  faults.SetPlan(plan);
  WriteBatch batch;
  for (int i = 0; i < 3; ++i) batch.Put(Key(i), std::string(600, 'v'));
  const bool wrote = db_->Write(batch).ok();
  faults.SetHook(nullptr);
  faults.SetPlan({});
  disk_->SetCapacity(UINT64_MAX);
  EXPECT_EQ(wrote, GetParam() == AppendMode::kMapped);
  EXPECT_EQ(db_->BackgroundStatus().ok(), wrote) << db_->BackgroundStatus();
  EXPECT_EQ(db_->Put("after", "value").ok(), wrote);
  EXPECT_EQ(Get("before"), "value");
  Kill();
  ASSERT_TRUE(TryOpen().ok());
  EXPECT_EQ(Get("before"), "value");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Has(Key(i)), wrote);
  EXPECT_EQ(Has("after"), wrote);
}

// A put that finds no room gives back everything it had reserved, in the current segment and in a
// segment created for it.
TEST_P(HolesAppendTest, AFailedPutGivesBackItsRoom) {
  options_.segment_bytes = 64 * kKiB * kKiB;
  Open();
  Put("first", "value", /*sync=*/true);
  for (const size_t mib : {40, 80}) {
    const uint64_t before = DiskBytes();
    disk_->SetCapacity(before + (mib - 5) * kKiB * kKiB);
    const absl::Status status = db_->Put("large", std::string(mib * kKiB * kKiB, 'v'));
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_LE(DiskBytes(), before) << mib;
  }
  Put("second", "value", /*sync=*/true);
  Kill();
  Open();
  EXPECT_EQ(Get("first"), "value");
  EXPECT_EQ(Get("second"), "value");
}

// The space reserved in advance shrinks before a write is refused, so the disk can be filled.
TEST_P(HolesAppendTest, ASmallWriteIsNotRefusedWhileThereIsRoom) {
  for (const uint64_t capacity : {100 * kKiB, 1000 * kKiB, 5000 * kKiB}) {
    for (int threads = 0; threads <= 2; ++threads) {
      SCOPED_TRACE(absl::StrCat(capacity, " bytes, ", threads, " threads"));
      StartFrom(CrashFileSystem().Cut(KeepPolicy::KeepEverything()));
      options_.segment_bytes = 64 * kKiB * kKiB;
      options_.background_threads = threads;
      disk_->SetCapacity(capacity);
      Open();
      absl::Status status;
      int written = 0;
      while (status.ok()) {
        status = db_->Put(Key(written), std::string(200, 'v'));
        if (status.ok()) ++written;
      }
      EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
      // MANIFEST also takes some of the capacity.
      EXPECT_GT(db_->GetStats().segments.back().records * 232 + 40 * kKiB, capacity);
      // Writes succeed again once there is room.
      disk_->SetCapacity(capacity + 8 * kKiB);
      EXPECT_TRUE(db_->Delete(Key(0)).ok());
      EXPECT_TRUE(db_->Put("synced", "value", {/*sync=*/true}).ok());
      Kill();
      Open();
      EXPECT_FALSE(Has(Key(0)));
      EXPECT_TRUE(Has(Key(written - 1)));
      EXPECT_TRUE(Has("synced"));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AppendModes, HolesAppendTest,
                         testing::Values(AppendMode::kMapped, AppendMode::kWrite),
                         [](const auto& param) {
                           return param.param == AppendMode::kMapped ? "Mapped" : "Write";
                         });

}  // namespace
}  // namespace rumcask
