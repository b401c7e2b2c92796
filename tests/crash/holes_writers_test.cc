// Holes about writers beside each other: H6, H7.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#include "tests/crash/holes_fixture.h"

namespace rumcask {
namespace {

// H6. A writer dies in the middle of copying its record; a later writer must not have been told OK
// before, as the scan ends at the hole.
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
  // Time enough for a later writer that does not wait; a correct one makes no use of it.
  for (int i = 0; i < 2000 && !returned.load(); ++i) std::this_thread::yield();
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

// H7. A synced write is in the log and waits for the device. Whoever comes then must see it...
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
  // An unsynced write behind it does not wait for the device.
  Put("unsynced", "value");
  stall.Release();
  first.join();
  EXPECT_EQ(Get("k"), "first");
}

// Of many writers that want a key to be theirs one gets it.
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

// ... and a synced operation that appends nothing returns only when what it observed is durable.
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

}  // namespace
}  // namespace rumcask
