#include "core/index/index_opener.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "core/log/recovery.h"
#include "core/testing/map_keystore.h"
#include "core/testing/segment_bytes.h"
#include "tests/crash_kit/adversarial_index.h"
#include "tests/crash_kit/crash_file_system.h"

namespace rumcask {
namespace {

constexpr const char* kPath = "/crash";

class IndexOpenerTest : public testing::Test {
 protected:
  IndexOpenerTest() : directory_(*disk_.OpenDirectory(kPath)) {
    manifest_.uuid = {4, 7, 11};
    // "a" is replaced, and "b" is deleted.
    SegmentBytes first(manifest_.uuid, 1);
    first.AddPut(1, "a", "old").AddPut(2, "b", "value").AddPut(3, "a", "new");
    first.Add(RecordKind::kDelete, 4, "b", "");
    a_ = Location::Make(0, first.offset(2), RecordBytes(1, 3));
    first.Seal();
    manifest_.Append(1, Stream::kUser, /*sealed=*/true, 0);
    manifest_.highest_id = 1;
    manifest_.durable_sequence = 4;
    manifest_.next_sequence = 5;
    manifest_.clean = true;
    disk_.WriteFile(std::string(kPath) + "/" + SegmentName(1), first.bytes());
  }

  // Opens the log as the manifest says; empties it for a database that is being made.
  void OpenLog(bool is_new = false) {
    if (is_new) {
      EXPECT_TRUE(directory_->Unlink(SegmentName(1)).ok());
      const Uuid uuid = manifest_.uuid;
      manifest_ = Manifest();
      manifest_.uuid = uuid;
      manifest_.clean = true;
    }
    absl::StatusOr<RecoveredLog> found = Recover(directory_.get(), manifest_, false);
    ASSERT_TRUE(found.ok()) << found.status();
    Log::Config config = {};
    config.segment_bytes = uint64_t{1} << 20;
    config.max_open_files = 16;
    config.mapping_budget = std::make_shared<MappingBudget>();
    log_ = std::make_unique<Log>(directory_.get(), config, /*read_only=*/false);
    ASSERT_TRUE(log_->Open(*std::move(found), is_new ? &disk_ : nullptr).ok());
  }

  absl::StatusOr<OpenIndex> Open(const KeystoreFactory& factory, bool reindexes,
                                 bool is_new = false) {
    IndexOpener::Config config = {};
    config.factory = factory;
    config.max_undo_bytes = config.replay_bytes = config.segment_bytes = uint64_t{1} << 20;
    config.reindexes = reindexes;
    config.is_new = is_new;
    config.progress = [this](size_t done, size_t all) { progress_.emplace_back(done, all); };
    std::vector<Damage> damages;
    return IndexOpener(&disk_, directory_.get(), log_.get(), std::move(config)).Open(&damages);
  }

  absl::StatusOr<DecodedManifest> OnDisk() { return ReadManifest(directory_.get()); }

  void ExpectWholeIndex(OpenIndex* index) {
    Location location;
    PreparedKey a("a"), b("b");
    index->keystore->Digest(&a);
    index->keystore->Digest(&b);
    ASSERT_TRUE(index->keystore->Get(a, &location).ok());
    EXPECT_EQ(location, a_);
    EXPECT_TRUE(absl::IsNotFound(index->keystore->Get(b, &location)));
  }

  CrashFileSystem disk_;
  const std::unique_ptr<Directory> directory_;
  Manifest manifest_;
  Location a_;
  std::unique_ptr<Log> log_;
  std::vector<std::pair<size_t, size_t>> progress_;
  std::shared_ptr<AdversarialDisk> index_disk_ = AdversarialDisk::Make();
};

TEST_F(IndexOpenerTest, AKeystoreInMemoryIsFilledAndNothingIsWritten) {
  manifest_.keystore = TestKeystore().traits.name;
  OpenLog();
  absl::StatusOr<OpenIndex> index = Open(TestKeystore(), /*reindexes=*/false);
  ASSERT_TRUE(index.ok()) << index.status();
  ExpectWholeIndex(&*index);
  EXPECT_TRUE(index->gate.reports_replaced());
  EXPECT_TRUE(absl::IsNotFound(OnDisk().status()));
  EXPECT_EQ(progress_, (std::vector<std::pair<size_t, size_t>>{{1, 1}}));
  EXPECT_TRUE(log_->space().exact());
  EXPECT_EQ(Space::LiveBytes(*log_->Pin(a_)), a_.length());
}

TEST_F(IndexOpenerTest, AnIndexOnDiskIsFilledAndBoundToManifest) {
  OpenLog();
  absl::StatusOr<OpenIndex> index = Open(index_disk_->Keystore("disk", true), /*reindexes=*/true);
  ASSERT_TRUE(index.ok()) << index.status();
  ExpectWholeIndex(&*index);
  EXPECT_FALSE(index->gate.reports_replaced());
  const auto written = OnDisk();
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(written->manifest.keystore, "disk");
  EXPECT_TRUE(written->manifest.keystore_persistent);
  EXPECT_EQ(Space::LiveBytes(*log_->Pin(a_)), a_.length());
  EXPECT_TRUE(index->gate.Close().ok());
}

TEST_F(IndexOpenerTest, WithoutReportsOfWhatIsReplacedLiveBytesAreABound) {
  OpenLog();
  absl::StatusOr<OpenIndex> index = Open(index_disk_->Keystore("disk", false), /*reindexes=*/true);
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_FALSE(log_->space().exact());
  const SegmentPin segment = log_->Pin(a_);
  EXPECT_EQ(Space::LiveBytes(*segment), segment->end() - kSegmentHeaderBytes);
  EXPECT_TRUE(index->gate.Close().ok());
}

TEST_F(IndexOpenerTest, AnIndexIsBuiltOnceAndAgainWhenTheLogIsAnother) {
  uint64_t applied = 0;
  for (int opening = 0; opening < 3; ++opening) {
    if (opening == 2) ++manifest_.incarnation;
    OpenLog();
    absl::StatusOr<OpenIndex> index =
        Open(index_disk_->Keystore("disk", true), /*reindexes=*/opening == 0);
    ASSERT_TRUE(index.ok()) << index.status();
    EXPECT_EQ(index->rebuilt.empty(), opening < 2) << opening << index->rebuilt;
    ExpectWholeIndex(&*index);
    EXPECT_TRUE(index->gate.Close().ok());
    EXPECT_EQ(index_disk_->applied() == applied, opening == 1) << opening;
    applied = index_disk_->applied();
    manifest_ = OnDisk()->manifest;
  }
}

TEST_F(IndexOpenerTest, WhatFailsLeavesManifestAsItWas) {
  OpenLog();
  KeystoreFactory broken = TestKeystore();
  broken.create = [](const KeystoreConfig&) -> absl::StatusOr<std::unique_ptr<Keystore>> {
    return absl::UnavailableError("no entropy");
  };
  EXPECT_TRUE(absl::IsUnavailable(Open(broken, /*reindexes=*/true).status()));
  EXPECT_TRUE(absl::IsNotFound(OnDisk().status()));
  KeystoreFactory narrow = TestKeystore();
  narrow.traits.max_key_bytes = 0;
  EXPECT_FALSE(Open(narrow, /*reindexes=*/true).ok());
  EXPECT_TRUE(absl::IsNotFound(OnDisk().status()));
  (void)index_disk_->FailCalls(2, absl::DataLossError("rotten"), /*for_ever=*/true);
  EXPECT_FALSE(Open(index_disk_->Keystore("disk", true), /*reindexes=*/true).ok());
  (void)index_disk_->FailCalls(0, absl::OkStatus(), false);
  EXPECT_TRUE(!OnDisk().ok() || OnDisk()->manifest.keystore.empty());
}

TEST_F(IndexOpenerTest, ANewDatabaseHasAManifestBeforeItHasAnIndexOnDisk) {
  OpenLog(/*is_new=*/true);
  bool checked = false;
  KeystoreFactory factory = index_disk_->Keystore("disk", true);
  factory.open_index = [&, open = factory.open_index](const DiskIndexConfig& config) {
    const auto written = OnDisk();
    EXPECT_TRUE(written.ok()) << written.status();
    EXPECT_EQ(written->manifest.keystore, "");
    checked = true;
    return open(config);
  };
  absl::StatusOr<OpenIndex> index = Open(factory, /*reindexes=*/true, /*is_new=*/true);
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_TRUE(checked);
  EXPECT_EQ(index->rebuilt, "") << "there was nothing to build";
  EXPECT_EQ(OnDisk()->manifest.keystore, "disk");
  EXPECT_TRUE(index->gate.Close().ok());
}

TEST_F(IndexOpenerTest, ANewDatabaseInMemoryGetsItsOnlyManifestAtTheEnd) {
  OpenLog(/*is_new=*/true);
  KeystoreFactory factory = TestKeystore();
  factory.create = [&, create = factory.create](const KeystoreConfig& config) {
    EXPECT_TRUE(absl::IsNotFound(OnDisk().status()));
    return create(config);
  };
  ASSERT_TRUE(Open(factory, /*reindexes=*/true, /*is_new=*/true).ok());
  EXPECT_EQ(OnDisk()->manifest.keystore, factory.traits.name);
}

TEST_F(IndexOpenerTest, WhichKeystoresMayTakeEachOthersPlace) {
  KeystoreTraits memory, other, disk;
  memory.name = "memory";
  other.name = "other";
  disk.name = "disk";
  disk.persistent = true;
  Manifest manifest;
  EXPECT_TRUE(CanTakeThePlace(manifest, memory, false)) << "nobody's yet";
  EXPECT_TRUE(CanTakeThePlace(manifest, disk, false));
  manifest.keystore = "memory";
  EXPECT_TRUE(IsOf(manifest, memory));
  EXPECT_FALSE(IsOf(manifest, other));
  EXPECT_TRUE(CanTakeThePlace(manifest, other, false));
  EXPECT_FALSE(CanTakeThePlace(manifest, disk, false));
  EXPECT_FALSE(CanTakeThePlace(manifest, disk, true));
  manifest.keystore = "disk";
  manifest.keystore_persistent = true;
  EXPECT_TRUE(IsOf(manifest, disk));
  EXPECT_TRUE(CanTakeThePlace(manifest, disk, true));
  EXPECT_FALSE(CanTakeThePlace(manifest, memory, false));
  EXPECT_TRUE(CanTakeThePlace(manifest, memory, true)) << "it is only read";
}

}  // namespace
}  // namespace rumcask
