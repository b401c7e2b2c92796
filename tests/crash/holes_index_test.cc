// Holes between the log and an index on disk that crashes and interleavings can open.

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/check/verify.h"
#include "core/stats.h"
#include "tests/crash/index_holes_fixture.h"

namespace rumcask {
namespace {

// More keys than one Apply gives the index.
constexpr int kManyKeys = 20000;

TEST_P(IndexHolesTest, H8_AnIndexBehindTheHorizonIsBuiltAnew) {
  Open();
  for (int i = 0; i < 100; ++i) Put(Key(i), "value", /*sync=*/true);
  Crash(KeepPolicy::KeepEverything(), IndexFate::kFlushed);
  // Pretends that compaction has reclaimed segments with records up to version 100.
  Manifest manifest = StoredManifest();
  manifest.gc_horizon = 100;
  ASSERT_TRUE(WriteManifest(disk_->OpenDirectory(kPath)->get(), manifest).ok());
  Open();
  EXPECT_NE(db_->GetStats().index_rebuilt.find("segments"), std::string::npos)
      << db_->GetStats().index_rebuilt;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Get(Key(i)), "value");
}

// The power fails after a part of a buffer has reached the index. The records that the part points
// at must be durable.
TEST_P(IndexHolesTest, H9_TheLogIsDurableBeforeTheIndexPointsAtIt) {
  options_.keystore->buffer_bytes = uint64_t{64} << 20;
  Open();
  for (int i = 0; i < kManyKeys; ++i) Put(Key(i), "old");
  // With this limit the second round freezes a buffer shortly before its end.
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

// Opening does not pass a tail that is not known to be durable to the index. Here the tail has
// exactly as many records as opening passes on at once, so that no partial group is left at the
// end.
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

// The power fails after the first part of a buffer. Without the position, which comes with the last
// part, the log is read again.
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

// After a conditional write has read the index and before it takes the write lock, the key is
// written and moves through the buffers into the index.
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

// Keys move from the buffers to the index. A reader looks in the same direction, so it cannot miss
// a key that moves meanwhile.
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

// After a crash the log is read again from the index's position, whatever state the index is in.
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
  // Without a WriteResult, a delete of a missing key may write a tombstone, which does no harm.
  ASSERT_TRUE(db_->Delete("missing").ok());
  PushOut();
  EXPECT_FALSE(Has("missing"));
  EXPECT_FALSE(Has("key"));
}

// Overwriting one key never fills a buffer, so replay_bytes must bound how much log is read again.
TEST_P(IndexHolesTest, H21_WhatIsReadAgainIsBoundedThoughNoBufferIsFull) {
  options_.replay_bytes = 100000;
  Open();
  for (int i = 0; i < 5000; ++i) Put("hot", std::string(500, 'x'));
  const Stats stats = db_->GetStats();
  // A record takes more than 500 bytes, so replay_bytes is less than 200 records; one more buffer
  // may be waiting.
  EXPECT_GT(stats.index_version, stats.last_version - 400);
  Crash(KeepPolicy::KeepEverything(), IndexFate::kFlushed);
  Open();
  EXPECT_EQ(db_->GetStats().index_rebuilt, "");
  EXPECT_EQ(Get("hot"), std::string(500, 'x'));
}

}  // namespace
}  // namespace rumcask
