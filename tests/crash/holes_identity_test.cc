// H24. An index that belongs to another history, or that fails, is detected and rebuilt from the
// log, and no data is lost.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/check/verify.h"
#include "core/index/index_entry.h"
#include "core/listener.h"
#include "core/plugin/disk_index.h"
#include "core/stats.h"
#include "tests/crash/index_holes_fixture.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

// A copy of the database diverges from the original. Segments of one combined with the index of the
// other are detected by the position or by the incarnation.
TEST_P(IndexHolesTest, H24_AnIndexAheadOfTheLogIsBuiltAnewAndNeverTrustedAgain) {
  Open();
  for (int i = 0; i < 100; ++i) Put(Key(i), "common", /*sync=*/true);
  const CrashImage yesterday = disk_->Cut(KeepPolicy::KeepEverything());
  const uint64_t incarnation = StoredManifest().incarnation;
  for (int i = 100; i < 300; ++i) Put(Key(i), "first history", /*sync=*/true);
  PushOut();
  const std::shared_ptr<AdversarialDisk> ahead = index_disk_->Cut(IndexFate::kLatest, 0);
  StartFrom(yesterday, ahead->Cut(IndexFate::kLatest, 0));
  Open();
  EXPECT_NE(db_->GetStats().index_rebuilt, "");
  EXPECT_NE(StoredManifest().incarnation, incarnation);
  for (int i = 0; i < 300; ++i) EXPECT_EQ(Has(Key(i)), i < 100) << i;
  // Now the log reaches beyond the index's position, so only the incarnation differs.
  for (int i = 500; i < 1100; ++i) Put(Key(i), "second history", /*sync=*/true);
  StartFrom(disk_->Cut(KeepPolicy::KeepEverything()), ahead);
  Open();
  EXPECT_NE(db_->GetStats().index_rebuilt, "");
  for (int i = 0; i < 1100; ++i) EXPECT_EQ(Has(Key(i)), i < 100 || i >= 500) << i;
}

// Copies that have diverged share their incarnation, and here their length too.
TEST_P(IndexHolesTest, H24_AnIndexOfACopyIsBuiltAnew) {
  Open();
  for (int i = 0; i < 100; ++i) Put(Key(i), "common");
  ASSERT_TRUE(db_->Close().ok());
  const CrashImage common = disk_->Cut(KeepPolicy::KeepEverything());
  const std::shared_ptr<AdversarialDisk> common_index = index_disk_->Cut(IndexFate::kLatest, 0);
  Open();
  Put("first", "value");
  ASSERT_TRUE(db_->Close().ok());
  const std::shared_ptr<AdversarialDisk> other = index_disk_->Cut(IndexFate::kLatest, 0);
  StartFrom(common, common_index);
  Open();
  Put("second", "value");
  ASSERT_TRUE(db_->Close().ok());
  StartFrom(disk_->Cut(KeepPolicy::KeepEverything()), other);
  Open();
  EXPECT_NE(db_->GetStats().index_rebuilt, "");
  EXPECT_FALSE(Has("first"));
  EXPECT_EQ(Get("second"), "value");
  EXPECT_EQ(Get(Key(7)), "common");
}

// A reader detects an index entry that points at another key's record. The database then refuses
// writes, and the next opening rebuilds the index.
TEST_P(IndexHolesTest, H24_AnIndexThatMisleadsIsBuiltAnew) {
  Open();
  Put("key", "value");
  Put("other", "value");
  PushOut();
  index_disk_->Tamper(
      [](AdversarialDisk::State* state) { state->entries["key"] = state->entries.at("other"); });
  const absl::Status status = db_->Get("key").status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.message().find("index"), std::string::npos) << status;
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->Put("more", "value")));
  Open();
  EXPECT_NE(db_->GetStats().index_rebuilt, "");
  EXPECT_EQ(Get("key"), "value");
}

// The same for a conditional write, which reads the record to learn its version.
TEST_P(IndexHolesTest, H24_AnIndexThatMisleadsAConditionIsBuiltAnew) {
  Open();
  Put("key", "value");
  Put("other", "value");
  PushOut();
  index_disk_->Tamper(
      [](AdversarialDisk::State* state) { state->entries["key"] = state->entries.at("other"); });
  const absl::Status status = db_->CompareAndPut("key", "changed", 1);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.message().find("index"), std::string::npos) << status;
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->Put("more", "value")));
  Open();
  EXPECT_NE(db_->GetStats().index_rebuilt, "");
  EXPECT_EQ(Get("key"), "value");
}

TEST_P(IndexHolesTest, H24_AnIndexThatFailsWhileClosingIsBuiltAnew) {
  Open();
  for (int i = 0; i < 10; ++i) Put(Key(i), "value");
  index_disk_->FailApply(absl::DataLossError("pages are rotten"));
  EXPECT_FALSE(db_->Close().ok());
  index_disk_->FailApply(absl::OkStatus());
  Open();
  EXPECT_NE(db_->GetStats().index_rebuilt, "");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Get(Key(i)), "value");
}

// An error with a passing cause does not discard the index.
TEST_P(IndexHolesTest, H24_AnIndexThatCannotBeOpenedForNowIsKept) {
  Open();
  for (int i = 0; i < 10; ++i) Put(Key(i), "value");
  ASSERT_TRUE(db_->Close().ok());
  const KeystoreFactory whole = *options_.keystore;
  bool removed = false;
  options_.keystore->open_index = [](const DiskIndexConfig&) {
    return absl::InternalError("too many open files");
  };
  options_.keystore->remove_index = [&](const std::string&) {
    removed = true;
    return absl::OkStatus();
  };
  const absl::Status status = DB::Open(kPath, options_).status();
  EXPECT_NE(status.message().find("too many open files"), std::string::npos) << status;
  EXPECT_FALSE(removed);
  options_.keystore = whole;
  Open();
  EXPECT_EQ(db_->GetStats().index_rebuilt, "");
}

// Writers wait for the index, and the index waits for the log to be durable. If the log fails, the
// writers get an error instead of waiting forever.
TEST_P(IndexHolesTest, H24_NobodyWaitsForAnIndexThatTheLogCannotFeed) {
  FaultFileSystem faults(disk_.get());
  options_.file_system = &faults;
  options_.background_threads = 2;
  Open();
  Put("synced", "value", /*sync=*/true);
  std::atomic<bool> full{false};
  FaultPlan plan;
  plan.call = 1;
  plan.fault = Fault::kEio;
  plan.for_ever = true;
  plan.matches = [](const Call& call) { return call.kind == CallKind::kSync; };
  plan.on_fault = [&](const Call&) {
    // The sync fails only once two buffers are waiting.
    while (!full.load()) std::this_thread::yield();
  };
  faults.SetPlan(plan);
  std::thread writer([&] {
    absl::Status status;
    for (int i = 0; status.ok(); ++i) status = db_->Put(Key(i), "value");
    EXPECT_NE(status.message().find("read-only after"), std::string::npos) << status;
  });
  while (db_->GetStats().index_bytes < 2 * options_.keystore->buffer_bytes) {
    std::this_thread::yield();
  }
  full.store(true);
  writer.join();
  db_.reset();
  options_.file_system = disk_.get();
}

TEST_P(IndexHolesTest, H24_AnIndexThatFailsEndsWritesWithTheReasonAndReadsGoOn) {
  struct Told : Listener {
    void OnBackgroundError(const absl::Status& status) override {
      EXPECT_NE(status.message().find("input/output error"), std::string::npos) << status;
      ++told;
    }
    std::atomic<int> told{0};
  };
  const auto listener = std::make_shared<Told>();
  options_.listener = listener;
  Open();
  Put("key", "value", /*sync=*/true);
  index_disk_->FailApply(absl::InternalError("input/output error"));
  absl::Status status;
  int written = 0;
  for (; status.ok() && written < 10000; ++written) status = db_->Put(Key(written), "value");
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(status.message().find("input/output error"), std::string::npos) << status;
  EXPECT_FALSE(db_->BackgroundStatus().ok());
  EXPECT_EQ(listener->told.load(), 1);
  EXPECT_EQ(Get("key"), "value");
  for (int i = 0; i < written - 1; ++i) EXPECT_EQ(Get(Key(i)), "value");
  Crash(KeepPolicy::KeepEverything(), IndexFate::kLatest);
  Open();
  EXPECT_NE(db_->GetStats().index_rebuilt, "");
  for (int i = 0; i < written - 1; ++i) EXPECT_EQ(Get(Key(i)), "value");
  Put("and", "on", /*sync=*/true);
}

// LMDB and RocksDB cannot detect a disk that returns an older page. Verify can, by comparing the
// index with the log.
TEST_P(IndexHolesTest, H24_VerifyComparesTheIndexWithTheLog) {
  using State = AdversarialDisk::State;
  Open();
  Put("key", "old");
  Put("other", "value");
  PushOut();
  const State before = index_disk_->latest();
  Put("key", "new");
  PushOut();
  const State after = index_disk_->latest();
  auto report = db_->Verify();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->clean());
  const std::function<void(State*)> kTamperings[] = {
      [&](State* state) { state->entries["key"] = before.entries.at("key"); },
      [&](State* state) { state->entries.erase("key"); },
      [&](State* state) { state->entries["none"] = before.entries.at("other"); },
      [&](State* state) {
        IndexEntry entry;
        ASSERT_TRUE(DecodeIndexEntry(state->entries["key"], &entry));
        entry.offset += 8;
        state->entries["key"].clear();
        AppendIndexEntry(entry, &state->entries["key"]);
      },
  };
  for (const auto& tampering : kTamperings) {
    index_disk_->Tamper(tampering);
    report = db_->Verify();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->damages.size(), 1u);
    index_disk_->Tamper([&](State* state) { *state = after; });
  }
  // Every reader detects bytes that are not a valid entry.
  index_disk_->Tamper([](State* state) { state->entries["key"] = "nonsense"; });
  EXPECT_TRUE(absl::IsDataLoss(db_->Get("key").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->BackgroundStatus())) << db_->BackgroundStatus();
  Open();
  EXPECT_NE(db_->GetStats().index_rebuilt, "");
  EXPECT_EQ(Get("key"), "new");
}

TEST_P(IndexHolesTest, H24_AFullIndexDiskStopsWritesWhileItIsFull) {
  Open();
  index_disk_->FailApply(absl::ResourceExhaustedError("no room"));
  absl::Status status;
  int written = 0;
  for (; status.ok() && written < 10000; ++written) status = db_->Put(Key(written), "value");
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  // The buffers' memory is bounded: two wait and one is being filled.
  EXPECT_LT(db_->GetStats().index_bytes, 4 * options_.keystore->buffer_bytes);
  index_disk_->FailApply(absl::OkStatus());
  for (int i = 0; i < 100; ++i) Put(absl::StrCat("later", i), "value");
  EXPECT_TRUE(db_->BackgroundStatus().ok()) << db_->BackgroundStatus();
  for (int i = 0; i < written - 1; ++i) EXPECT_EQ(Get(Key(i)), "value");
}

}  // namespace
}  // namespace rumcask
