// Holes about concurrent writers, H6 and H7, and about writers and the sealer.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#include "core/stats.h"
#include "tests/crash/holes_fixture.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

// H6. A writer dies while it copies its record. No later write may have returned OK by then,
// because the scan ends at the incomplete record.
TEST_P(HolesTest, H6_NoWriteReturnsWhileAnEarlierOneIsIncomplete) {
  Open();
  Put("first", "value");
  Stall stall(disk_.get(), [](const std::string& what, const std::string& name) {
    return (what == "wrote" || what == "pwrite") && absl::EndsWith(name, ".seg");
  });
  std::thread slow([&] { Put("slow", "being copied"); });
  stall.AwaitReached();
  std::atomic<bool> returned{false};
  std::thread later([&] {
    Put("later", "value");
    returned.store(true);
  });
  // Time enough for a wrong implementation to return. In a correct one the later writer waits.
  for (int i = 0; i < 50 && !returned.load(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const bool acknowledged = returned.load();
  const CrashImage image = disk_->Cut(KeepPolicy::KeepEverything());
  stall.Release();
  slow.join();
  later.join();
  StartFrom(image);
  Open();
  EXPECT_TRUE(Has("first"));
  EXPECT_TRUE(!acknowledged || Has("later"));
}

// H7. While a synced write waits for the device, other callers already see it.
TEST_P(HolesTest, H7_AWriteWaitingForItsSyncIsPublished) {
  Open();
  Put("other", "value", true);
  Stall stall(disk_.get(), IsSegmentSync);
  std::thread first([&] {
    WriteResult result;
    EXPECT_TRUE(db_->PutIfAbsent("k", "first", {true}, &result).ok());
  });
  stall.AwaitReached();
  uint64_t version = 0;
  std::string value;
  ASSERT_TRUE(db_->Get("k", &value, {}, &version).ok());
  EXPECT_EQ(value, "first");
  WriteResult refused;
  EXPECT_TRUE(absl::IsAlreadyExists(db_->PutIfAbsent("k", "second", {}, &refused)));
  EXPECT_EQ(refused.version, version);
  EXPECT_TRUE(absl::IsAborted(db_->CompareAndPut("k", "third", 0)));
  EXPECT_TRUE(absl::IsAborted(db_->CompareAndDelete("k", version + 1)));
  // A later unsynced write does not wait for the device.
  Put("unsynced", "value");
  stall.Release();
  first.join();
  EXPECT_EQ(Get("k"), "first");
}

// If several writers try to create the same key, exactly one succeeds.
TEST_P(HolesTest, H7_OneOfManyCreatesAKey) {
  constexpr int kKeys = 3000;
  options_.segment_bytes = uint64_t{1} << 20;
  Open();
  std::vector<std::atomic<int>> winners(kKeys);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kKeys; ++i) {
        if (db_->PutIfAbsent(Key(i), "mine").ok()) winners[i].fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(winners[i].load(), 1) << i;
}

// H7. A synced operation that appends nothing returns only when what it observed is durable.
TEST_P(HolesTest, H7_ARefusalWithSyncWaitsForWhatItObserved) {
  struct Case {
    const char* name;
    std::function<absl::Status(DB*)> refuse;
  };
  const Case cases[] = {
      {"PutIfAbsent", [](DB* db) { return db->PutIfAbsent("k", "no", {true}); }},
      {"CompareAndPut", [](DB* db) { return db->CompareAndPut("k", "no", 0, {true}); }},
      {"CompareAndDelete", [](DB* db) { return db->CompareAndDelete("k", 1u << 20, {true}); }},
      {"Delete", [](DB* db) { return db->Delete("missing", {true}); }},
      {"Sync", [](DB* db) { return db->Sync(); }},
      {"empty batch", [](DB* db) { return db->Write(WriteBatch(), {true}); }}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    db_.reset();
    disk_ = std::make_unique<CrashFileSystem>();
    options_.file_system = disk_.get();
    Open();
    Put("k", "unsynced");
    (void)c.refuse(db_.get());
    CutPower(KeepPolicy::DropUnsynced());
    Open();
    EXPECT_EQ(Get("k"), "unsynced");
  }
}

// Returns once `writes` has not changed for a while, or `done` is set.
void AwaitStandstill(const std::atomic<int>& writes, const std::atomic<bool>& done) {
  int before = -1;
  for (int still = 0; still < 20 && !done.load(); ++still) {
    if (writes.load() != before) still = 0;
    before = writes.load();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

// A writer can get only a limited number of segments ahead of the sealer.
TEST_P(HolesTest, AWriterDoesNotOutrunTheSealerWithoutEnd) {
  options_.background_threads = 1;
  Open();
  std::atomic<bool> held{false}, done{false};
  std::atomic<int> writes{0};
  disk_->SetObserver([&](uint64_t, const char* what, const std::string& name, bool after) {
    if (after || !IsSegmentSync(what, name) || held.exchange(true)) return;
    AwaitStandstill(writes, done);
  });
  ptrdiff_t most = 0;
  for (int i = 0; i < 400; ++i) {
    Put(Key(i), std::string(1000, 'v'));
    writes.store(i + 1);
    const std::vector<SegmentStats> segments = db_->GetStats().segments;
    most = std::max(most, std::count_if(segments.begin(), segments.end(),
                                        [](const SegmentStats& s) { return !s.sealed; }));
  }
  done.store(true);
  EXPECT_GT(db_->GetStats().segments.size(), 80u);
  EXPECT_LE(most, 20);
  ASSERT_TRUE(db_->Close().ok());
  disk_->SetObserver(nullptr);
  Open();
  EXPECT_EQ(PrefixLength(), 400);
}

// A writer that waits for the sealer gets an error if the sealer fails.
TEST_P(HolesTest, AWriterThatWaitsForTheSealerHearsThatItFailed) {
  options_.background_threads = 1;
  FaultFileSystem faults(disk_.get());
  options_.file_system = &faults;
  Open();
  Put("first", "value");
  std::atomic<bool> done{false};
  std::atomic<int> writes{0};
  FaultPlan plan;
  plan.call = 1;
  plan.matches = [](const Call& call) {
    return call.kind == CallKind::kSync && absl::EndsWith(call.name, ".seg");
  };
  plan.on_fault = [&](const Call& call) {
    AwaitStandstill(writes, done);
    disk_->LoseDirty(call.name);
  };
  faults.SetPlan(plan);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      while (db_->Put(Key(t), std::string(1000, 'v')).ok()) ++writes;
    });
  }
  for (std::thread& thread : threads) thread.join();
  done.store(true);
  EXPECT_FALSE(db_->BackgroundStatus().ok());
  EXPECT_LT(writes.load(), 200);
}

}  // namespace
}  // namespace rumcask
