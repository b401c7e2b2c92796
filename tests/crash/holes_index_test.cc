// The holes between the log and an index on disk.

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/db.h"
#include "core/index_entry.h"
#include "core/manifest.h"
#include "tests/crash_kit/adversarial_index.h"
#include "tests/crash_kit/crash_file_system.h"

namespace rumcask {
namespace {

constexpr const char* kPath = "/crash/db";

std::string Key(int i) { return absl::StrCat("key", i); }

// With an index that tells what a change replaces, and with one that does not.
class IndexHolesTest : public testing::TestWithParam<bool> {
 protected:
  IndexHolesTest()
      : disk_(std::make_unique<CrashFileSystem>()), index_disk_(AdversarialDisk::Make()) {
    options_.create_if_missing = true;
    options_.segment_bytes = uint64_t{4} << 20;
    options_.background_threads = 0;
    UseDisks();
    options_.keystore->buffer_bytes = 4096;
  }
  ~IndexHolesTest() override { index_disk_->SetObserver(nullptr); }

  void UseDisks() {
    const uint64_t buffer_bytes = options_.keystore ? options_.keystore->buffer_bytes : 0;
    options_.keystore = index_disk_->Keystore("adversarial", GetParam());
    options_.keystore->buffer_bytes = buffer_bytes;
    options_.file_system = disk_.get();
  }

  void Open() {
    db_.reset();
    auto db = DB::Open(kPath, options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }
  void Put(const std::string& key, const std::string& value, bool sync = false) {
    const absl::Status status = db_->Put(key, value, {sync});
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string Get(const std::string& key, const Snapshot* snapshot = nullptr) {
    std::string value;
    const absl::Status status = db_->Get(key, &value, {snapshot});
    return status.ok() ? value : absl::StrCat("<", status.ToString(), ">");
  }
  bool Has(const std::string& key) { return db_->Get(key).ok(); }

  // Other keys, until what was written before is in the index and in no buffer.
  void PushOut() {
    Put("push", "out");
    const uint64_t version = db_->GetStats().last_version;
    for (int i = 0; db_->GetStats().index_version < version; ++i) {
      ASSERT_LT(i, 10000) << "nothing reaches the index";
      Put(absl::StrCat("pushed", i), "out");
    }
  }

  // At the next look into the index, before it looks ("get") or after ("got").
  void AtNextLook(const char* when, std::function<void()> act) {
    index_disk_->SetObserver([this, when, act = std::move(act)](const char* what) {
      if (std::string_view(what) != when) return;
      index_disk_->SetObserver(nullptr);
      std::thread(act).join();
    });
  }

  void Crash(const KeepPolicy& policy, IndexFate fate, uint64_t seed = 0) {
    const std::shared_ptr<AdversarialDisk> index = index_disk_->Cut(fate, seed);
    StartFrom(disk_->Cut(policy), index);
  }
  void StartFrom(const CrashImage& image, const std::shared_ptr<AdversarialDisk>& index) {
    auto disk = std::make_unique<CrashFileSystem>(image);
    disk_->SetObserver(nullptr);
    index_disk_->SetObserver(nullptr);
    db_.reset();
    disk_ = std::move(disk);
    index_disk_ = index;
    UseDisks();
  }
  Manifest StoredManifest() {
    auto manifest = ReadManifest(disk_->OpenDirectory(kPath)->get());
    EXPECT_TRUE(manifest.ok()) << manifest.status();
    return manifest->manifest;
  }

  std::unique_ptr<CrashFileSystem> disk_;
  std::shared_ptr<AdversarialDisk> index_disk_;
  Options options_;
  std::unique_ptr<DB> db_;
};

INSTANTIATE_TEST_SUITE_P(Indexes, IndexHolesTest, testing::Bool(),
                         [](const auto& param) { return param.param ? "Looking" : "Blind"; });

// More keys than the index is given at once.
constexpr int kManyKeys = 20000;

TEST_P(IndexHolesTest, H8_AnIndexBehindTheHorizonIsBuiltAnew) {
  Open();
  for (int i = 0; i < 100; ++i) Put(Key(i), "value", /*sync=*/true);
  Crash(KeepPolicy::KeepEverything(), IndexFate::kFlushed);
  // As if segments with records up to the last one had been reclaimed.
  Manifest manifest = StoredManifest();
  manifest.gc_horizon = 100;
  ASSERT_TRUE(WriteManifest(disk_->OpenDirectory(kPath)->get(), manifest).ok());
  Open();
  EXPECT_NE(db_->GetStats().index_rebuilt.find("segments"), std::string::npos)
      << db_->GetStats().index_rebuilt;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Get(Key(i)), "value");
}

// A part of a buffer reaches the index, and then the power fails: what the part points at is there.
TEST_P(IndexHolesTest, H9_TheLogIsDurableBeforeTheIndexPointsAtIt) {
  options_.keystore->buffer_bytes = uint64_t{64} << 20;
  Open();
  for (int i = 0; i < kManyKeys; ++i) Put(Key(i), "old");
  // The second round fills a buffer shortly before its end.
  options_.replay_bytes = db_->GetStats().log_bytes / 50 * 49;
  ASSERT_TRUE(db_->Close().ok());
  Open();
  CrashImage image;
  std::shared_ptr<AdversarialDisk> index;
  index_disk_->SetObserver([&](const char* what) {
    if (index != nullptr || std::string_view(what) != "apply") return;
    index = index_disk_->Cut(IndexFate::kLatest, 0);
    image = disk_->Cut(KeepPolicy::DropUnsynced());
  });
  for (int i = 0; i < kManyKeys; ++i) Put(Key(i), "new");
  ASSERT_NE(index, nullptr);
  StartFrom(image, index);
  Open();
  int kept = 0;
  while (kept < kManyKeys && Get(Key(kept)) == "new") ++kept;
  EXPECT_GT(kept, kManyKeys / 2);
  for (int i = kept; i < kManyKeys; ++i) ASSERT_EQ(Get(Key(i)), "old") << i;
  auto report = db_->Verify();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->clean());
}

// A tail that opening found, but that is not durable, is not brought to the index. It is of as many
// records as opening hands on at once, after which it has none left to hand on.
TEST_P(IndexHolesTest, H9_OpeningKeepsTheTailFromTheIndex) {
  constexpr int kHandedOn = 1024;
  options_.keystore->buffer_bytes = uint64_t{64} << 20;
  Open();
  for (int i = 0; i < 100; ++i) Put(Key(i), "old");
  ASSERT_TRUE(db_->Close().ok());
  Open();
  const uint64_t position = db_->GetStats().index_version;
  EXPECT_GT(position, 0u);
  for (int i = 0; i < kHandedOn; ++i) Put(Key(i), "new");
  StartFrom(disk_->Cut(KeepPolicy::KeepEverything()), index_disk_->Cut(IndexFate::kLatest, 0));
  options_.keystore->buffer_bytes = 4096;
  Open();
  EXPECT_EQ(db_->GetStats().index_version, position);
  for (int i = 0; i < kHandedOn; ++i) ASSERT_EQ(Get(Key(i)), "new") << i;
  auto report = db_->Verify();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->clean());
}

// A part without its position is as if it were not there.
TEST_P(IndexHolesTest, H9_ThePositionComesWithTheLastPart) {
  options_.keystore->buffer_bytes = uint64_t{64} << 20;
  Open();
  for (int i = 0; i < kManyKeys; ++i) Put(Key(i), "value");
  CrashImage image;
  std::shared_ptr<AdversarialDisk> index;
  index_disk_->SetObserver([&](const char* what) {
    if (index != nullptr || std::string_view(what) != "apply") return;
    index = index_disk_->Cut(IndexFate::kLatest, 0);
    image = disk_->Cut(KeepPolicy::KeepEverything());
  });
  ASSERT_TRUE(db_->Close().ok());
  ASSERT_NE(index, nullptr);
  StartFrom(image, index);
  Open();
  for (int i = 0; i < kManyKeys; ++i) ASSERT_EQ(Get(Key(i)), "value") << i;
}

// Between the look into the index and the write lock the key comes and goes through the buffers.
TEST_P(IndexHolesTest, H10_AConditionIsNotDecidedByWhatWasReplacedMeanwhile) {
  Open();
  AtNextLook("got", [&] {
    Put("key", "first");
    PushOut();
  });
  EXPECT_TRUE(absl::IsAlreadyExists(db_->PutIfAbsent("key", "second")));
  EXPECT_EQ(Get("key"), "first");
}

TEST_P(IndexHolesTest, H10_AConditionIsNotDecidedByWhatIsInABufferMeanwhile) {
  Open();
  AtNextLook("got", [&] { Put("key", "first"); });
  EXPECT_TRUE(absl::IsAlreadyExists(db_->PutIfAbsent("key", "second")));
  EXPECT_EQ(Get("key"), "first");
}

TEST_P(IndexHolesTest, H10_ADeleteMeanwhileIsSeenByACondition) {
  Open();
  Put("key", "first");
  PushOut();
  AtNextLook("got", [&] {
    ASSERT_TRUE(db_->Delete("key").ok());
    PushOut();
  });
  WriteResult result;
  ASSERT_TRUE(db_->PutIfAbsent("key", "second", {}, &result).ok());
  EXPECT_FALSE(result.existed);
  EXPECT_EQ(Get("key"), "second");
}

// A reader looks from the new to the old: what wanders the same way does not pass it unseen.
TEST_P(IndexHolesTest, H10_AReaderDoesNotMissAKeyThatWanders) {
  Open();
  Put("key", "first");
  PushOut();
  AtNextLook("get", [&] {
    Put("key", "second");
    PushOut();
  });
  EXPECT_EQ(Get("key"), "second");
  AtNextLook("get", [&] {
    ASSERT_TRUE(db_->Delete("other").ok());
    Put("other", "there");
    PushOut();
  });
  EXPECT_EQ(Get("other"), "there");
  Put("other", "again");
  AtNextLook("got", [&] { PushOut(); });
  EXPECT_EQ(Get("other"), "again");
  index_disk_->SetObserver(nullptr);
}

// The index has the newest state, but its position is an old one: the log is read again.
TEST_P(IndexHolesTest, H11_ReadingTheLogAgainBringsNothingBack) {
  Open();
  Put("key", "value");
  Put("kept", "old");
  PushOut();
  ASSERT_TRUE(db_->Delete("key").ok());
  Put("kept", "new");
  PushOut();
  for (const IndexFate fate : {IndexFate::kLatest, IndexFate::kOlder, IndexFate::kEmpty}) {
    SCOPED_TRACE(IndexFateName(fate));
    Crash(KeepPolicy::KeepEverything(), fate);
    Open();
    EXPECT_FALSE(Has("key"));
    EXPECT_EQ(Get("kept"), "new");
    PushOut();
    EXPECT_FALSE(Has("key"));
    EXPECT_EQ(Get("kept"), "new");
    EXPECT_EQ(index_disk_->latest().entries.count("key"), 0u);
  }
}

TEST_P(IndexHolesTest, H18_ASnapshotOutlivesTheBuffersThatReplaceWhatItSees) {
  Open();
  constexpr int kKeys = 300;
  for (int i = 0; i < kKeys; ++i) Put(Key(i), "old");
  PushOut();
  auto snapshot = db_->TakeSnapshot();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kKeys; ++i) {
      if (i % 3 == round) {
        ASSERT_TRUE(db_->Delete(Key(i)).ok());
      } else {
        Put(Key(i), absl::StrCat("new", round));
      }
    }
    PushOut();
    for (int i = 0; i < kKeys; ++i) Put(Key(kKeys + i), "not there before");
    PushOut();
  }
  for (int i = 0; i < kKeys; ++i) {
    EXPECT_EQ(Get(Key(i), snapshot->get()), "old");
    EXPECT_NE(Get(Key(i)), "old");
    EXPECT_TRUE(absl::IsNotFound(db_->Get(Key(kKeys + i), {snapshot->get()}).status()));
  }
  IteratorOptions options;
  options.snapshot = *snapshot;
  options.prefix = "key";
  auto it = db_->NewIterator(options);
  ASSERT_TRUE(it.ok()) << it.status();
  int seen = 0;
  for (; (*it)->Valid(); (*it)->Next(), ++seen) EXPECT_EQ((*it)->value(), "old");
  EXPECT_TRUE((*it)->status().ok()) << (*it)->status();
  EXPECT_EQ(seen, kKeys);
}

TEST_P(IndexHolesTest, H20_ADeleteThatIsAskedWhatItFoundWritesNothingForAMissingKey) {
  Open();
  Put("key", "value");
  PushOut();
  const uint64_t before = db_->GetStats().last_version;
  WriteResult result;
  ASSERT_TRUE(db_->Delete("missing", {}, &result).ok());
  EXPECT_FALSE(result.existed);
  EXPECT_EQ(result.version, 0u);
  EXPECT_EQ(db_->GetStats().last_version, before);
  ASSERT_TRUE(db_->Delete("key", {}, &result).ok());
  EXPECT_TRUE(result.existed);
  EXPECT_GT(result.version, before);
  // One that is not asked may write, and does no harm.
  ASSERT_TRUE(db_->Delete("missing").ok());
  PushOut();
  EXPECT_FALSE(Has("missing"));
  EXPECT_FALSE(Has("key"));
}

// One key all day long fills no buffer.
TEST_P(IndexHolesTest, H21_WhatIsReadAgainIsBoundedThoughNoBufferIsFull) {
  options_.replay_bytes = 100000;
  Open();
  for (int i = 0; i < 5000; ++i) Put("hot", std::string(500, 'x'));
  const Stats stats = db_->GetStats();
  // A record takes more than 500 bytes: less than 200 of them, and one buffer more may wait.
  EXPECT_GT(stats.index_version, stats.last_version - 400);
  Crash(KeepPolicy::KeepEverything(), IndexFate::kFlushed);
  Open();
  EXPECT_EQ(db_->GetStats().index_rebuilt, "");
  EXPECT_EQ(Get("hot"), std::string(500, 'x'));
}

// A copy of the database goes its own way. Its segments under the other's index are noticed by the
// incarnation or by the position, and the other way round.
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
  // The histories come to have the same length: the position alone would not tell.
  for (int i = 500; i < 1100; ++i) Put(Key(i), "second history", /*sync=*/true);
  StartFrom(disk_->Cut(KeepPolicy::KeepEverything()), ahead);
  Open();
  EXPECT_NE(db_->GetStats().index_rebuilt, "");
  for (int i = 0; i < 1100; ++i) EXPECT_EQ(Has(Key(i)), i < 100 || i >= 500) << i;
}

TEST_P(IndexHolesTest, H24_AnIndexThatFailsEndsWritesWithTheReasonAndReadsGoOn) {
  Open();
  Put("key", "value", /*sync=*/true);
  index_disk_->FailApply(absl::InternalError("input/output error"));
  absl::Status status;
  int written = 0;
  for (; status.ok() && written < 10000; ++written) status = db_->Put(Key(written), "value");
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(status.message().find("input/output error"), std::string::npos) << status;
  EXPECT_FALSE(db_->BackgroundStatus().ok());
  EXPECT_EQ(Get("key"), "value");
  for (int i = 0; i < written - 1; ++i) EXPECT_EQ(Get(Key(i)), "value");
  Crash(KeepPolicy::KeepEverything(), IndexFate::kLatest);
  Open();
  EXPECT_NE(db_->GetStats().index_rebuilt, "");
  for (int i = 0; i < written - 1; ++i) EXPECT_EQ(Get(Key(i)), "value");
  Put("and", "on", /*sync=*/true);
}

// Neither LMDB nor RocksDB's writers protect against a disk that keeps an older page.
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
  // What is no entry at all is noticed by every reader.
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
  // The buffers' memory is bounded: two that wait and one that is being filled.
  EXPECT_LT(db_->GetStats().index_bytes, 4 * options_.keystore->buffer_bytes);
  index_disk_->FailApply(absl::OkStatus());
  for (int i = 0; i < 100; ++i) Put(absl::StrCat("later", i), "value");
  EXPECT_TRUE(db_->BackgroundStatus().ok()) << db_->BackgroundStatus();
  for (int i = 0; i < written - 1; ++i) EXPECT_EQ(Get(Key(i)), "value");
}

}  // namespace
}  // namespace rumcask
