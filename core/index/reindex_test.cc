// Keystores on disk as users of DB meet them: opening, reading only, changing one for another.

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/check/verify.h"
#include "core/db.h"
#include "core/format/limits.h"
#include "core/listener.h"
#include "core/plugin/disk_index.h"
#include "core/plugin/keystore.h"
#include "core/stats.h"
#include "core/testing/map_keystore.h"
#include "tests/crash_kit/adversarial_index.h"
#include "tests/crash_kit/crash_file_system.h"

namespace rumcask {
namespace {

constexpr const char* kPath = "/crash/db";

class ReindexTest : public testing::Test {
 protected:
  ReindexTest() {
    options_.keystore = TestKeystore();
    options_.create_if_missing = true;
    options_.segment_bytes = kMinSegmentBytes;
    options_.file_system = &disk_;
  }

  static Options With(Options options, KeystoreFactory keystore) {
    options.keystore = std::move(keystore);
    return options;
  }
  KeystoreFactory OnDisk() { return index_->Keystore("disk", /*reports_replaced=*/true); }

  std::unique_ptr<DB> Open(const Options& options) {
    auto db = DB::Open(kPath, options);
    EXPECT_TRUE(db.ok()) << db.status();
    return db.ok() ? *std::move(db) : nullptr;
  }
  void Fill(const Options& options, int keys, const std::string& prefix = "key") {
    const std::unique_ptr<DB> db = Open(options);
    for (int i = 0; i < keys; ++i) {
      ASSERT_TRUE(db->Put(absl::StrCat(prefix, i), std::string(100, 'v')).ok());
    }
    ASSERT_TRUE(db->Close().ok());
  }
  static std::vector<std::string> Keys(DB* db) {
    std::vector<std::string> keys;
    for (auto it = *db->NewIterator(); it->Valid(); it->Next()) keys.emplace_back(it->key());
    return keys;
  }

  CrashFileSystem disk_;
  std::shared_ptr<AdversarialDisk> index_ = AdversarialDisk::Make();
  Options options_;
};

TEST_F(ReindexTest, TheWrongKeystoreIsRefusedByName) {
  Fill(options_, 10);
  for (const bool read_only : {false, true}) {
    const Options options = With(options_, OnDisk());
    const absl::Status status =
        read_only ? DB::OpenReadOnly(kPath, options).status() : DB::Open(kPath, options).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_NE(status.message().find("\"hash\""), std::string::npos) << status;
    EXPECT_NE(status.message().find("\"disk\""), std::string::npos) << status;
  }
  EXPECT_EQ(*DB::StoredKeystore(kPath, &disk_), "hash");
}

TEST_F(ReindexTest, EverythingIsThereAfterwardsAndTheDatabaseHasTheNewKeystore) {
  Fill(options_, 200);
  struct Progress : Listener {
    void OnIndexLoading(size_t segments, size_t of) override {
      done = segments;
      all = of;
    }
    std::atomic<size_t> done{0};
    std::atomic<size_t> all{0};
  };
  const auto progress = std::make_shared<Progress>();
  Options options = With(options_, OnDisk());
  options.reindex = true;
  options.listener = progress;
  std::unique_ptr<DB> db = Open(options);
  ASSERT_NE(db, nullptr);
  EXPECT_GT(progress->all.load(), 3u);
  EXPECT_EQ(progress->done.load(), progress->all.load());
  EXPECT_EQ(Keys(db.get()).size(), 200u);
  db.reset();
  EXPECT_EQ(*DB::StoredKeystore(kPath, &disk_), "disk");
  // From now on without being asked for it, and nothing is built.
  db = Open(With(options_, OnDisk()));
  EXPECT_EQ(db->GetStats().keys, 200u);
  EXPECT_EQ(db->GetStats().index_rebuilt, "");
  db.reset();
  // And back.
  options = options_;
  options.reindex = true;
  db = Open(options);
  EXPECT_EQ(db->KeyCount(), 200u);
  db.reset();
  EXPECT_EQ(*DB::StoredKeystore(kPath, &disk_), "hash");
}

TEST_F(ReindexTest, KeysThatAreTooLongAreCountedBeforeAnythingIsChanged) {
  Fill(options_, 20);
  {
    const std::unique_ptr<DB> db = Open(options_);
    ASSERT_TRUE(db->Put("much too long", "value").ok());
    ASSERT_TRUE(db->Put("much too long as well", "value").ok());
    ASSERT_TRUE(db->Put("long but deleted", "value").ok());
    ASSERT_TRUE(db->Delete("long but deleted").ok());
  }
  KeystoreFactory keystore = OnDisk();
  keystore.traits.max_key_bytes = 8;
  Options options = With(options_, keystore);
  options.reindex = true;
  const absl::Status status = DB::Open(kPath, options).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_NE(status.message().find("2 keys are longer"), std::string::npos) << status;
  EXPECT_NE(status.message().find("6d75636820746f6f206c6f6e67"), std::string::npos) << status;
  EXPECT_EQ(*DB::StoredKeystore(kPath, &disk_), "hash");
  EXPECT_EQ(Open(options_)->KeyCount(), 22u);
}

TEST_F(ReindexTest, WhatFailsLeavesTheDatabaseAsItWas) {
  Fill(options_, 6000);
  KeystoreFactory keystore = OnDisk();
  keystore.buffer_bytes = 4096;
  Options options = With(options_, keystore);
  options.reindex = true;
  struct Loaded : Listener {
    void OnIndexLoading(size_t segments, size_t of) override {
      done = segments;
      all = of;
    }
    std::atomic<size_t> done{0};
    std::atomic<size_t> all{0};
  };
  for (const absl::Status& error :
       {absl::InternalError("input/output error"), absl::ResourceExhaustedError("no room")}) {
    const auto loaded = std::make_shared<Loaded>();
    options.listener = loaded;
    index_->SetObserver([&](const char* what) {
      // The first one says what it is an index of.
      if (std::string_view(what) == "apply") index_->FailApply(error);
    });
    const absl::Status status = DB::Open(kPath, options).status();
    EXPECT_FALSE(status.ok());
    EXPECT_NE(status.message().find(error.message()), std::string::npos) << status;
    index_->SetObserver(nullptr);
    index_->FailApply(absl::OkStatus());
    EXPECT_EQ(*DB::StoredKeystore(kPath, &disk_), "hash");
    // It does not read all of the log into memory first.
    EXPECT_LT(loaded->done.load() * 2, loaded->all.load());
    EXPECT_EQ(Open(options_)->KeyCount(), 6000u);
  }
}

TEST_F(ReindexTest, AKeystoreInMemoryReadsEveryDatabase) {
  Fill(With(options_, OnDisk()), 50);
  auto db = DB::OpenReadOnly(kPath, options_);
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_EQ((*db)->KeyCount(), 50u);
  EXPECT_EQ(*DB::StoredKeystore(kPath, &disk_), "disk");
}

TEST_F(ReindexTest, ReadingOnlyWritesNothingAndBuildsNothing) {
  const Options options = With(options_, OnDisk());
  Fill(options, 50);
  const uint64_t applied = index_->applied();
  {
    auto db = DB::OpenReadOnly(kPath, options);
    ASSERT_TRUE(db.ok()) << db.status();
    EXPECT_EQ(Keys(db->get()).size(), 50u);
    EXPECT_TRUE(absl::IsFailedPrecondition((*db)->Put("key", "value")));
  }
  EXPECT_EQ(index_->applied(), applied);
  // A part of the log that the index lacks is read into memory; all of it is not.
  {
    const std::unique_ptr<DB> db = Open(options);
    ASSERT_TRUE(db->Put("last", "value", {/*sync=*/true}).ok());
    index_ = index_->Cut(IndexFate::kLatest, 0);
  }
  Options lagging = With(options_, OnDisk());
  {
    auto db = DB::OpenReadOnly(kPath, lagging);
    ASSERT_TRUE(db.ok()) << db.status();
    EXPECT_EQ(Keys(db->get()).size(), 51u);
    EXPECT_TRUE((*db)->Get("last").ok());
  }
  index_ = index_->Cut(IndexFate::kForeign, 0);
  lagging = With(options_, OnDisk());
  const absl::Status status = DB::OpenReadOnly(kPath, lagging).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(status.message().find("open the database once for writing"), std::string::npos)
      << status;
}

// The writers bring buffers to the index themselves. One has written, and comes to that only after
// the database was closed.
TEST_F(ReindexTest, ClosingBesideAWriterLeavesItNoIndex) {
  struct Stalling : Listener {
    void OnSegmentSealed(uint64_t, uint64_t) override {
      if (!armed.exchange(false)) return;
      reached.set_value();
      closed.get_future().wait();
    }
    std::atomic<bool> armed{false};
    std::promise<void> reached;
    std::promise<void> closed;
  };
  const auto listener = std::make_shared<Stalling>();
  Options options = With(options_, OnDisk());
  options.keystore->buffer_bytes = 4096;
  options.background_threads = 0;
  options.listener = listener;
  const std::unique_ptr<DB> db = Open(options);
  index_->FailApply(absl::ResourceExhaustedError("no room"));
  std::thread writer([&] {
    // One buffer waits for the index.
    for (int i = 0; i < 60; ++i) ASSERT_TRUE(db->Put(absl::StrCat("key", i), "v").ok());
    listener->armed = true;
    for (int i = 0; i < 100; ++i) (void)db->Put("key", std::string(500, 'v'));
  });
  listener->reached.get_future().wait();
  EXPECT_TRUE(absl::IsResourceExhausted(db->Close()));
  listener->closed.set_value();
  writer.join();
  index_->FailApply(absl::OkStatus());
}

TEST_F(ReindexTest, StatsTellHowFarTheIndexIs) {
  const Options options = With(options_, OnDisk());
  std::unique_ptr<DB> db = Open(options);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(db->Put(absl::StrCat(i), "value").ok());
  Stats stats = db->GetStats();
  EXPECT_EQ(stats.keystore, "disk");
  EXPECT_FALSE(stats.keys_exact);
  EXPECT_TRUE(stats.live_bytes_exact);
  EXPECT_EQ(stats.index_version, 0u);
  EXPECT_GT(stats.index_bytes, 50u);
  ASSERT_TRUE(db->Close().ok());
  db = Open(options);
  stats = db->GetStats();
  EXPECT_EQ(stats.keys, 50u);
  EXPECT_EQ(stats.index_version, stats.last_version);
  EXPECT_GT(stats.index_file_bytes, 0u);
}

TEST_F(ReindexTest, EveryStateOfAnIndexOpens) {
  Fill(With(options_, OnDisk()), 100);
  for (const IndexFate fate : kAllFates) {
    SCOPED_TRACE(IndexFateName(fate));
    const std::shared_ptr<AdversarialDisk> whole = index_;
    index_ = whole->Cut(fate, 1);
    const std::unique_ptr<DB> db = Open(With(options_, OnDisk()));
    ASSERT_NE(db, nullptr);
    EXPECT_EQ(Keys(db.get()).size(), 100u);
    const bool allowed = fate == IndexFate::kLatest || fate == IndexFate::kPrefix ||
                         fate == IndexFate::kFlushed || fate == IndexFate::kOlder;
    EXPECT_EQ(db->GetStats().index_rebuilt.empty(), allowed) << db->GetStats().index_rebuilt;
    EXPECT_TRUE(db->Verify()->clean());
  }
}

// Third parties' too, whatever they are called.
TEST_F(ReindexTest, KeystoresInMemoryTakeEachOthersPlace) {
  Fill(options_, 20);
  for (const char* name : {"mine", "btree", "another-one", "hash"}) {
    KeystoreFactory keystore = TestKeystore();
    keystore.traits.name = name;
    const std::unique_ptr<DB> db = Open(With(options_, keystore));
    ASSERT_NE(db, nullptr);
    EXPECT_EQ(db->KeyCount(), 20u);
  }
  // Of databases that one of them made, too.
  KeystoreFactory mine = TestKeystore();
  mine.traits.name = "mine";
  Options options = With(options_, mine);
  options.reindex = true;
  Open(options).reset();
  EXPECT_EQ(*DB::StoredKeystore(kPath, &disk_), "mine");
  EXPECT_EQ(Open(options_)->KeyCount(), 20u);
  EXPECT_TRUE(absl::IsFailedPrecondition(DB::Open(kPath, With(options_, OnDisk())).status()));
  // One on disk of the same name is another.
  options = With(options_, index_->Keystore("mine", /*reports_replaced=*/true));
  EXPECT_TRUE(absl::IsFailedPrecondition(DB::Open(kPath, options).status()));
}

TEST_F(ReindexTest, ADatabaseThatCouldNotBeMadeIsForEveryKeystore) {
  KeystoreFactory in_memory = TestKeystore();
  in_memory.create = [](const KeystoreConfig&) -> absl::StatusOr<std::unique_ptr<Keystore>> {
    return absl::InternalError("not today");
  };
  KeystoreFactory on_disk = OnDisk();
  on_disk.open_index = [](const DiskIndexConfig&) -> absl::StatusOr<std::unique_ptr<DiskIndex>> {
    return absl::InternalError("not today");
  };
  for (const KeystoreFactory& fails : {in_memory, on_disk}) {
    for (const KeystoreFactory& next : {TestKeystore(), OnDisk()}) {
      CrashFileSystem disk;
      Options options = With(options_, fails);
      options.file_system = &disk;
      EXPECT_EQ(DB::Open(kPath, options).status().message(), "not today");
      options.keystore = next;
      options.create_if_missing = true;
      const std::unique_ptr<DB> db = Open(options);
      ASSERT_NE(db, nullptr);
      EXPECT_EQ(*DB::StoredKeystore(kPath, &disk), next.traits.name);
    }
  }
}

// Neither by an index that is ahead of the log, nor by one that fails, nor by both.
TEST_F(ReindexTest, AnOpeningThatFailsLeavesManifestAsItIs) {
  const Options options = With(options_, OnDisk());
  const auto manifest = [this] { return disk_.Contents("/crash")["db/MANIFEST"]; };
  for (const IndexFate fate : {IndexFate::kLatest, IndexFate::kNewer, IndexFate::kEmpty}) {
    SCOPED_TRACE(IndexFateName(fate));
    Fill(With(options_, OnDisk()), 100);
    {
      // So that there is something to bring to the index.
      const std::unique_ptr<DB> db = Open(With(options_, OnDisk()));
      ASSERT_TRUE(db->Put("last", std::string(3000, 'v'), {/*sync=*/true}).ok());
      index_->FailApply(absl::ResourceExhaustedError("no room"));
      EXPECT_FALSE(db->Close().ok());
    }
    index_ = index_->Cut(fate, 0);
    for (const absl::Status& error :
         {absl::InternalError("input/output error"), absl::ResourceExhaustedError("no room")}) {
      index_->FailApply(error);
      Options failing = With(options_, OnDisk());
      failing.keystore->buffer_bytes = 1;
      const std::string before = manifest();
      const absl::Status status = DB::Open(kPath, failing).status();
      EXPECT_FALSE(status.ok());
      EXPECT_EQ(manifest(), before);
    }
    index_->FailApply(absl::OkStatus());
    const std::unique_ptr<DB> db = Open(With(options_, OnDisk()));
    ASSERT_NE(db, nullptr);
    EXPECT_EQ(Keys(db.get()).size(), 101u);
    EXPECT_TRUE(db->Verify()->clean());
  }
}

}  // namespace
}  // namespace rumcask
