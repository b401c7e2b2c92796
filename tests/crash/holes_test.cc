// The ways of losing data that a log with a separate index invites, each as one test: the crash or
// interleaving step by step, and what must come of it. The numbers are those of the rules that
// core/DESIGN.md follows.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/db.h"
#include "core/map_keystore.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

constexpr const char* kPath = "/crash/db";

std::string SegmentPath(int id) { return absl::StrCat(kPath, "/000000000000000", id, ".seg"); }
std::string Key(int i) { return "key" + std::to_string(i); }

class HolesTest : public testing::TestWithParam<AppendMode> {
 protected:
  HolesTest() : disk_(std::make_unique<CrashFileSystem>()) { options_ = MakeOptions(disk_.get()); }
  ~HolesTest() override { db_.reset(); }

  static Options MakeOptions(FileSystem* file_system) {
    Options options;
    options.keystore = TestKeystore();
    options.create_if_missing = true;
    options.segment_bytes = kMinSegmentBytes;
    options.append_mode = GetParam();
    options.background_threads = 0;
    options.file_system = file_system;
    return options;
  }

  absl::Status TryOpen() {
    db_.reset();
    auto db = DB::Open(kPath, options_);
    if (db.ok()) db_ = std::move(*db);
    return db.status();
  }
  void Open() {
    const absl::Status status = TryOpen();
    ASSERT_TRUE(status.ok()) << status;
  }
  void Put(const std::string& key, const std::string& value, bool sync = false) {
    const absl::Status status = db_->Put(key, value, {sync});
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string Get(const std::string& key) {
    auto value = db_->Get(key);
    return value.ok() ? *value : absl::StrCat("<", value.status().ToString(), ">");
  }
  bool Has(const std::string& key) { return db_->Get(key).ok(); }

  // The power fails and the machine comes back with what the disk kept.
  void CutPower(const KeepPolicy& policy) { StartFrom(disk_->Cut(policy)); }
  void Kill() { CutPower(KeepPolicy::KeepEverything()); }
  void StartFrom(const CrashImage& image) {
    auto disk = std::make_unique<CrashFileSystem>(image);
    disk_->SetObserver(nullptr);
    db_.reset();
    disk_ = std::move(disk);
    options_.file_system = disk_.get();
  }
  std::map<std::string, std::string> Files() { return disk_->Contents(kPath); }
  bool FileExists(int id) { return Files().count(absl::StrCat("000000000000000", id, ".seg")) > 0; }

  // Key(0) to Key(i-1) are there and nothing else: a prefix. Returns i.
  int PrefixLength() {
    int found = 0;
    while (Has(Key(found))) ++found;
    EXPECT_EQ(db_->KeyCount(), static_cast<uint64_t>(found)) << "the writes found have holes";
    auto report = db_->Verify();
    EXPECT_TRUE(report.ok() && report->clean());
    return found;
  }

  std::unique_ptr<CrashFileSystem> disk_;
  Options options_;
  std::unique_ptr<DB> db_;
};

INSTANTIATE_TEST_SUITE_P(AppendModes, HolesTest,
                         testing::Values(AppendMode::kMapped, AppendMode::kWrite),
                         [](const auto& param) {
                           return param.param == AppendMode::kMapped ? "Mapped" : "Write";
                         });

// Holds up the first operation that `matches` until it is released.
class Stall {
 public:
  using Matcher = std::function<bool(const std::string& what, const std::string& name)>;

  Stall(CrashFileSystem* disk, Matcher matches) {
    disk->SetObserver([state = state_, matches = std::move(matches)](
                          uint64_t, const char* what, const std::string& name, bool after) {
      if (after || !matches(what, name) || state->reached.exchange(true)) return;
      while (!state->released.load()) std::this_thread::yield();
    });
  }

  void AwaitReached() {
    while (!state_->reached.load()) std::this_thread::yield();
  }
  void Release() { state_->released.store(true); }

 private:
  struct State {
    std::atomic<bool> reached{false};
    std::atomic<bool> released{false};
  };

  // The file system may outlive the test's interest in it.
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

bool IsSegmentSync(const std::string& what, const std::string& name) {
  return what == "sync" && absl::EndsWith(name, ".seg");
}

// H2. While the sealing of one segment stalls, later ones are written. Nothing in them may be found
// that has a gap before it, and none of them counts as sealed, which is what a compaction asks.
TEST_P(HolesTest, H2_NothingOvertakesThePrefixWhileASealStalls) {
  options_.background_threads = 1;
  Open();
  Stall stall(disk_.get(), IsSegmentSync);
  int written = 0;
  while (db_->GetStats().segments.size() < 4) Put(Key(written++), std::string(200, 'v'));
  stall.AwaitReached();
  for (const SegmentStats& segment : db_->GetStats().segments) EXPECT_FALSE(segment.sealed);
  EXPECT_EQ(db_->GetStats().durable_version, 0u);
  std::vector<CrashImage> images;
  for (int n = 1; n < written; ++n) images.push_back(disk_->Cut(KeepPolicy::OnlyLatestWrites(n)));
  for (uint64_t seed = 0; seed < 50; ++seed) images.push_back(disk_->Cut(KeepPolicy::Random(seed)));
  stall.Release();
  for (const CrashImage& image : images) {
    StartFrom(image);
    Open();
    EXPECT_LE(PrefixLength(), written);
  }
}

// H3. A whole successor is no evidence that anything before it was durable: a tear in unsynced
// writes is a torn tail, and what follows it is dropped with it...
TEST_P(HolesTest, H3_ATearInUnsyncedWritesIsNoDamage) {
  Open();
  int written = 0;
  std::vector<CrashImage> before_seal;
  disk_->SetObserver([&](uint64_t, const char* what, const std::string& name, bool after) {
    // The moment before the first segment is sealed: its successor is born.
    if (!after && IsSegmentSync(what, name)) {
      before_seal.push_back(disk_->Cut(KeepPolicy::KeepEverything()));
    }
  });
  while (before_seal.empty()) Put(Key(written++), std::string(200, 'v'));
  StartFrom(before_seal[0]);
  ASSERT_TRUE(FileExists(2));
  // The page in the middle of the first segment never reached the disk.
  disk_->Overwrite(SegmentPath(1), 2048, std::string(512, '\0'));
  Open();
  const int kept = PrefixLength();
  EXPECT_GT(kept, 0);
  EXPECT_LT(kept, written - 5);
  EXPECT_GT(db_->GetStats().recovery.dropped_bytes, 500u);
  EXPECT_EQ(db_->GetStats().recovery.dropped_segments, 1u);
}

// ... and the same tear below a synced write is damage, which only marks can tell.
TEST_P(HolesTest, H3_ATearInSyncedWritesIsDamage) {
  Open();
  int written = 0;
  while (db_->GetStats().segments.size() < 2) Put(Key(written++), std::string(200, 'v'));
  Put("synced", "in the second segment", true);
  Put("after", "carries the mark");
  Kill();
  disk_->Overwrite(SegmentPath(1), 2048, std::string(512, '\0'));
  // Without its footer the first segment is judged by its records.
  disk_->TruncateFile(SegmentPath(1), Files()["0000000000000001.seg"].size() - 8);
  const auto files = Files();
  const absl::Status status = TryOpen();
  ASSERT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "0000000000000001.seg")) << status;
  EXPECT_EQ(Files(), files);
}

// H4. A dropped segment whose unlink was undone by the next power cut comes back: its records have
// higher numbers than anything kept, but the synced write made since then must win.
TEST_P(HolesTest, H4_WhatWasDroppedDoesNotComeBackOnTop) {
  Open();
  std::vector<CrashImage> cuts;
  disk_->SetObserver([&](uint64_t, const char* what, const std::string& name, bool after) {
    if (!after && IsSegmentSync(what, name)) {
      cuts.push_back(disk_->Cut(KeepPolicy::KeepEverything()));
    }
  });
  for (int i = 0; cuts.empty(); ++i) Put(Key(i % 8), absl::StrCat(i, std::string(200, 'v')));
  StartFrom(cuts[0]);
  disk_->Overwrite(SegmentPath(1), 1024, std::string(512, '\0'));
  const std::string dropped = Files()["0000000000000002.seg"];
  Open();
  for (int i = 0; i < 8; ++i) Put(Key(i), "written after the drop", i == 7);
  EXPECT_FALSE(disk_->Contents(kPath).count("0000000000000002.seg"));
  CutPower(KeepPolicy::DropUnsynced());
  disk_->WriteFile(SegmentPath(2), dropped);
  Open();
  for (int i = 0; i < 8; ++i) EXPECT_EQ(Get(Key(i)), "written after the drop");
  Put("one more", "write");
  EXPECT_FALSE(FileExists(2)) << "a dead segment is deleted, not kept";
}

// H5. A page of zeros with valid records behind it is the ordinary picture after a power cut.
TEST_P(HolesTest, H5_AnythingMayFollowTheEndOfAPreallocatedSegment) {
  for (const char filler : {'\0', '\xff'}) {
    db_.reset();
    disk_ = std::make_unique<CrashFileSystem>();
    options_.file_system = disk_.get();
    Open();
    for (int i = 0; i < 12; ++i) Put(Key(i), std::string(200, 'v'));
    Kill();
    disk_->Overwrite(SegmentPath(1), 1024, std::string(512, filler));
    Open();
    const int kept = PrefixLength();
    EXPECT_GT(kept, 0);
    EXPECT_LT(kept, 12);
    EXPECT_GT(db_->GetStats().recovery.dropped_bytes, 0u);
  }
}

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
  ASSERT_TRUE(db_->Get("k", &value, &version).ok());
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

// H12. What MANIFEST vouches for in a segment without footer or successor is not taken for a torn
// tail when it is damaged.
TEST_P(HolesTest, H12_DamageBelowAListedEndIsDamage) {
  Open();
  for (int i = 0; i < 8; ++i) Put(Key(i), std::string(200, 'v'));
  ASSERT_TRUE(db_->Close().ok());
  disk_->FlipBit(SegmentPath(1), 1000, 3);
  const auto files = Files();
  const absl::Status status = TryOpen();
  ASSERT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "0000000000000001.seg")) << status;
  EXPECT_EQ(Files(), files);
}

// H13. The same after the clean close was followed by another opening: what the MANIFEST of the
// clean close had vouched for is vouched for still.
TEST_P(HolesTest, H13_ContinuingACleanlyClosedSegmentKeepsItsEvidence) {
  Open();
  for (int i = 0; i < 8; ++i) Put(Key(i), std::string(200, 'v'));
  ASSERT_TRUE(db_->Close().ok());
  Open();
  Put("one more", "put");
  Kill();
  disk_->FlipBit(SegmentPath(1), 1000, 3);
  EXPECT_TRUE(absl::IsDataLoss(TryOpen()));
}

// A mark that lies beyond a tear proves that the tear is damage.
TEST_P(HolesTest, H13_AMarkBeyondATearIsEvidence) {
  Open();
  for (int i = 0; i < 4; ++i) Put(Key(i), std::string(200, 'v'));
  Put("synced", "value", true);
  Put("carries", "the mark");
  Kill();
  disk_->FlipBit(SegmentPath(1), 500, 1);
  EXPECT_TRUE(absl::IsDataLoss(TryOpen()));
}

// Without one, damage in the last group cannot be told from a torn tail; its bytes are counted.
TEST_P(HolesTest, H13_DamageInTheLastGroupIsATornTailAndCounted) {
  Open();
  for (int i = 0; i < 4; ++i) Put(Key(i), std::string(200, 'v'));
  Kill();
  disk_->FlipBit(SegmentPath(1), 700, 1);
  Open();
  EXPECT_EQ(PrefixLength(), 2);
  EXPECT_GT(db_->GetStats().recovery.dropped_bytes, 2 * 200u);
}

// Marks are written with the next append, once for a group, never alone.
TEST_P(HolesTest, H13_SyncingWithoutWritingWritesNoMark) {
  Open();
  Put("k", "v", true);
  const uint64_t records = db_->GetStats().segments[0].records;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(db_->Sync().ok());
  EXPECT_EQ(db_->GetStats().segments[0].records, records);
  Put("k", "w");
  EXPECT_EQ(db_->GetStats().segments[0].records, records + 2);
  Put("k", "x");
  EXPECT_EQ(db_->GetStats().segments[0].records, records + 3);
}

// What is written while a group's fdatasync runs is not part of the group: it waits for its own.
TEST_P(HolesTest, H13_AGroupIsWhatWasThereWhenItsSyncBegan) {
  Open();
  Put("before", "value", true);
  Stall stall(disk_.get(), IsSegmentSync);
  std::thread leader([&] { Put("leader", "value", true); });
  stall.AwaitReached();
  std::thread late([&] { Put("late", "value", true); });
  while (!Has("late")) std::this_thread::yield();
  stall.Release();
  leader.join();
  late.join();
  CutPower(KeepPolicy::DropUnsynced());
  Open();
  EXPECT_TRUE(Has("leader"));
  EXPECT_TRUE(Has("late"));
}

// After a failed fdatasync the kernel takes the pages for clean: a second one would succeed without
// having written them. So the first is final.
TEST_P(HolesTest, H13_AFailedSyncIsFinal) {
  FaultFileSystem faults(disk_.get());
  options_.file_system = &faults;
  Open();
  Put("durable", "value", true);
  FaultPlan plan;
  plan.call = 1;
  plan.fault = Fault::kEio;
  plan.matches = [](const Call& call) {
    return call.kind == CallKind::kSync && absl::EndsWith(call.name, ".seg");
  };
  plan.on_fault = [this](const Call& call) { disk_->LoseDirty(call.name); };
  faults.SetPlan(plan);
  EXPECT_FALSE(db_->Put("lost", "value", {true}).ok());
  EXPECT_FALSE(db_->BackgroundStatus().ok());
  EXPECT_FALSE(db_->Sync().ok());
  EXPECT_FALSE(db_->Put("later", "value").ok());
  EXPECT_FALSE(db_->Put("later", "value", {true}).ok());
  EXPECT_EQ(Get("durable"), "value");
  CutPower(KeepPolicy::DropUnsynced());
  Open();
  EXPECT_EQ(Get("durable"), "value");
  EXPECT_FALSE(Has("later"));
}

// H14. A sealed segment that is gone is named, not taken for one that was retired.
TEST_P(HolesTest, H14_AMissingSealedSegmentIsDamage) {
  Open();
  for (int i = 0; i < 60; ++i) Put(Key(i), std::string(200, 'v'));
  ASSERT_TRUE(db_->Close().ok());
  const CrashImage image = disk_->Cut(KeepPolicy::KeepEverything());
  const size_t segments = Files().size() - 2;
  ASSERT_GE(segments, 3u);
  for (size_t id = 1; id <= segments; ++id) {
    StartFrom(image);
    disk_->RemoveFile(SegmentPath(static_cast<int>(id)));
    const absl::Status status = TryOpen();
    ASSERT_TRUE(absl::IsDataLoss(status)) << id << ": " << status;
    EXPECT_TRUE(absl::StrContains(status.message(), absl::StrCat("000", id, ".seg"))) << status;
  }
}

// Ids are not used again, also not that of a dropped segment; an unborn file is deleted.
TEST_P(HolesTest, H14_IdsAreNeverReused) {
  Open();
  Put("k", "v", true);
  ASSERT_TRUE(db_->Close().ok());
  // What a crash may leave: a prepared file beyond MANIFEST's ids, nothing in it.
  disk_->WriteFile(SegmentPath(7), std::string(kMinSegmentBytes, '\0'));
  Open();
  for (int i = 0; i < 40; ++i) Put(Key(i), std::string(200, 'v'));
  EXPECT_FALSE(FileExists(7));
  for (const SegmentStats& segment : db_->GetStats().segments) {
    EXPECT_TRUE(segment.id == 1 || segment.id > 7) << segment.id;
  }
  EXPECT_EQ(Get("k"), "v");
}

// H15. The directory of a new database is durable before Open returns.
TEST_P(HolesTest, H15_ANewDatabaseDoesNotVanishWhole) {
  Open();
  Put("k", "v", true);
  for (const KeepPolicy& policy : KeepPolicy::AllFixed()) {
    const CrashImage image = disk_->Cut(policy);
    CrashFileSystem disk(image);
    auto db = DB::Open(kPath, [&] {
      Options options = MakeOptions(&disk);
      options.create_if_missing = false;
      return options;
    }());
    ASSERT_TRUE(db.ok()) << policy.ToString() << ": " << db.status();
    EXPECT_EQ(*(*db)->Get("k"), "v") << policy.ToString();
  }
}

// Segments without a MANIFEST are not a new database.
TEST_P(HolesTest, H15_SegmentsWithoutManifestAreDamage) {
  Open();
  Put("k", "v", true);
  ASSERT_TRUE(db_->Close().ok());
  disk_->RemoveFile(absl::StrCat(kPath, "/MANIFEST"));
  const auto files = Files();
  const absl::Status status = TryOpen();
  ASSERT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "MANIFEST")) << status;
  EXPECT_EQ(Files(), files);
}

// H19. Of the operations of a batch on one key the last wins, whichever way the index is filled.
TEST_P(HolesTest, H19_TheLastOfABatchsDuplicatesWins) {
  Open();
  WriteBatch batch;
  batch.Put("k", "1");
  batch.Delete("k");
  batch.Put("k", "2");
  batch.Put("gone", "1");
  batch.Delete("gone");
  WriteResult result;
  ASSERT_TRUE(db_->Write(batch, {}, &result).ok());
  EXPECT_EQ(result.version, 5u);
  for (const bool clean : {false, true, false}) {
    std::string value;
    uint64_t version = 0;
    ASSERT_TRUE(db_->Get("k", &value, &version).ok());
    EXPECT_EQ(value, "2");
    EXPECT_EQ(version, 3u);
    EXPECT_FALSE(Has("gone"));
    if (clean) {
      ASSERT_TRUE(db_->Close().ok());
      Open();
    } else {
      Kill();
      Open();
      // The first write after a kill gives the segment its footer.
      Put("another", "write");
    }
  }
}

// A batch torn in any of its parts, and wherever in it, was never there.
TEST_P(HolesTest, H19_ABatchTornAnywhereIsGoneWhole) {
  Open();
  Put("before", "v");
  const uint64_t begin = db_->GetStats().log_bytes + 128;
  WriteBatch batch;
  for (int i = 0; i < 5; ++i) batch.Put(Key(i), std::string(100, 'v'));
  ASSERT_TRUE(db_->Write(batch).ok());
  const uint64_t end = db_->GetStats().log_bytes + 128;
  const CrashImage whole = disk_->Cut(KeepPolicy::KeepEverything());
  for (uint64_t at = begin; at < end; at += 8) {
    StartFrom(whole);
    disk_->TruncateFile(SegmentPath(1), at);
    Open();
    ASSERT_TRUE(Has("before"));
    ASSERT_EQ(db_->KeyCount(), 1u) << "cut at " << at;
    // Nor does it come back through the footer that the next write gives the segment.
    Put("after", "v", true);
    ASSERT_TRUE(db_->Close().ok());
    Open();
    ASSERT_EQ(db_->KeyCount(), 2u) << "cut at " << at;
  }
}

// A batch that does not fit rolls first; one larger than a segment gets one of its own size.
TEST_P(HolesTest, H19_ABatchLiesInOneSegment) {
  Open();
  Put("before", std::string(2000, 'v'));
  WriteBatch batch;
  for (int i = 0; i < 100; ++i) batch.Put(Key(i), std::string(500, 'v'));
  ASSERT_TRUE(db_->Write(batch).ok());
  const Stats stats = db_->GetStats();
  ASSERT_EQ(stats.segments.size(), 2u);
  EXPECT_EQ(stats.segments[1].records, 100u);
  Put("after", "v");
  Kill();
  Open();
  EXPECT_EQ(db_->KeyCount(), 102u);
}

// H29. Numbers never restart: not when all keys are deleted, not when everything was lost.
TEST_P(HolesTest, H29_NumbersNeverRestart) {
  Open();
  WriteResult result;
  for (int i = 0; i < 20; ++i) Put(Key(i), "v");
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(db_->Delete(Key(i), {}, &result).ok());
  ASSERT_TRUE(db_->Close().ok());
  uint64_t highest = result.version;
  Open();
  ASSERT_TRUE(db_->Put("k", "v", {}, &result).ok());
  EXPECT_GT(result.version, highest);
  // From here on nothing was synced, and the power cut takes all of it. Its numbers have been seen.
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(db_->Put("k", "v", {}, &result).ok());
  for (int round = 0; round < 3; ++round) {
    highest = result.version;
    CutPower(KeepPolicy::DropUnsynced());
    Open();
    EXPECT_FALSE(Has("k"));
    ASSERT_TRUE(db_->Put("k", "v", {}, &result).ok());
    EXPECT_GT(result.version, highest);
  }
}

}  // namespace
}  // namespace rumcask
