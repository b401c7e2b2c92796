// What is the flat keystore's own; what every keystore promises is tested by
// tests/conformance.

#include "keystores/flat/flat_keystore.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"

#include "core/plugin/keystore.h"
#include "core/testing/heap_in_use.h"
#include "core/versions/scan_work.h"

namespace rumcask {
namespace {

class FlatKeystoreTest : public testing::Test {
 protected:
  static Location At(uint64_t n) {
    return Location::Make(static_cast<uint32_t>(1 + n / 100000), 4096 + 8 * (n % 100000), 64);
  }
  PreparedKey Prepared(const std::string& key) {
    PreparedKey prepared(key);
    keystore_->Digest(&prepared);
    return prepared;
  }
  Location Set(const std::string& key, Location location) {
    return keystore_->Set(Prepared(key), location, ++sequence_);
  }
  // All that a walk yields; each only once.
  std::set<uint64_t> Walk(KeystoreCursor* cursor) {
    std::set<uint64_t> all;
    std::vector<Location> part;
    do {
      EXPECT_TRUE(cursor->Next(&part).ok());
      for (const Location location : part) EXPECT_TRUE(all.insert(location.bits()).second);
    } while (!part.empty());
    return all;
  }
  // A step for 64 shards each, and a few for those that have something.
  static constexpr uint64_t kFewSteps = 80;
  uint64_t WalkSteps(std::shared_ptr<const KeystoreSnapshot> snapshot) {
    const uint64_t before = ThreadScanWork().steps;
    Walk(keystore_->NewCursor(std::move(snapshot)).get());
    return ThreadScanWork().steps - before;
  }
  std::unique_ptr<Keystore> Make(uint64_t max_undo_bytes = uint64_t{256} << 20) {
    return FlatKeystore().create({max_undo_bytes, /*background=*/false}).value();
  }

  std::unique_ptr<Keystore> keystore_ = Make();
  uint64_t sequence_ = 0;
};

// Also between the sizes at which tables double: the shards do not double together.
TEST_F(FlatKeystoreTest, TakesAtMostThirtyBytesBesideTheKey) {
  const uint64_t empty = keystore_->MemoryBytes();
  uint64_t keys = 0;
  double sum = 0;
  int samples = 0;
  // From 200 keys in a shard on, where the figures of small tables do not count, over two octaves.
  for (const uint64_t upto :
       {800000, 950000, 1130000, 1350000, 1600000, 1900000, 2260000, 2690000, 3200000}) {
    for (; keys < upto; ++keys) Set(absl::StrFormat("%016d", keys), At(keys));
    const double each =
        static_cast<double>(keystore_->MemoryBytes() - empty) / static_cast<double>(keys) - 16;
    EXPECT_LE(each, 30) << keys;
    sum += each;
    ++samples;
  }
  EXPECT_LE(sum / samples, 27);
}

// A shard that grows holds the writer up for as long as it takes to move its keys, and a part of a
// walk is a shard.
TEST_F(FlatKeystoreTest, NoShardHasManyMoreKeysThanOthers) {
  constexpr uint64_t kKeys = 500000;
  for (uint64_t i = 0; i < kKeys; ++i) Set(absl::StrCat("key", i), At(i));
  const std::unique_ptr<KeystoreCursor> cursor = keystore_->NewCursor(nullptr);
  std::vector<Location> part;
  size_t parts = 0;
  size_t most = 0;
  size_t least = kKeys;
  do {
    ASSERT_TRUE(cursor->Next(&part).ok());
    if (part.empty()) break;
    ++parts;
    most = std::max(most, part.size());
    least = std::min(least, part.size());
  } while (true);
  EXPECT_EQ(parts, 4096u);
  // The means of shards are spread over an octave around 122, and chance is some 11 on top.
  EXPECT_LE(most, 250u);
  EXPECT_GE(least, 40u);
  // Chance alone would make it twice.
  EXPECT_GE(2 * most, 5 * least);
}

class LaterIsNewer : public LoadContext {
 public:
  bool IsNewer(const LoadEntry& a, Location b) const override {
    return a.location.bits() >> 15 > b.bits() >> 15;
  }
  void Superseded(Location /*location*/) override {}
};

TEST_F(FlatKeystoreTest, LoadingLeavesNothingOfDeletedKeys) {
  constexpr uint64_t kKeys = 200000;
  const uint64_t empty = keystore_->MemoryBytes();
  LaterIsNewer context;
  for (uint64_t i = 0; i < kKeys; ++i) {
    const std::string key = absl::StrFormat("%016d", i);
    const LoadEntry entry{key, At(i), i + 1, /*is_delete=*/i % 100 != 0};
    keystore_->Load({&entry, 1}, &context);
  }
  keystore_->FinishLoad();
  EXPECT_EQ(keystore_->KeyCount(), kKeys / 100);
  EXPECT_EQ(Walk(keystore_->NewCursor(nullptr).get()).size(), kKeys / 100);
  // At most two keys a shard remain on average: seven slots of 13 bytes, and little else.
  EXPECT_LE(keystore_->MemoryBytes() - empty, 4096u * 200);
}

// However many shards had keys or undo records once.
TEST_F(FlatKeystoreTest, AWalkPassesShardsThatHaveNothingForIt) {
  constexpr uint64_t kKeys = 100000;
  const auto key = [](uint64_t i) { return absl::StrCat("key", i); };
  for (uint64_t i = 0; i < kKeys; ++i) Set(key(i), At(i));
  auto old = keystore_->TakeSnapshot(sequence_);
  EXPECT_GE(WalkSteps(old), kKeys);
  for (uint64_t i = 0; i < kKeys; ++i) Set(key(i), Location());
  EXPECT_LE(WalkSteps(nullptr), kFewSteps);
  // The undo records are all of an older snapshot.
  EXPECT_LE(WalkSteps(keystore_->TakeSnapshot(sequence_)), kFewSteps);
  EXPECT_EQ(Walk(keystore_->NewCursor(old).get()).size(), kKeys);
  old.reset();
  keystore_->FinishForgetting();
  ASSERT_EQ(keystore_->GetSnapshotUsage().undo_bytes, 0u);
  old = keystore_->TakeSnapshot(sequence_);
  Set(key(0), At(0));
  EXPECT_LE(WalkSteps(old), kFewSteps);
}

TEST_F(FlatKeystoreTest, AWalkPassesShardsThatHadOnlyDeletesInTheLog) {
  LaterIsNewer context;
  for (uint64_t i = 0; i < 100000; ++i) {
    const std::string name = absl::StrCat("key", i);
    const LoadEntry entry{name, At(i), i + 1, /*is_delete=*/true};
    keystore_->Load({&entry, 1}, &context);
  }
  keystore_->FinishLoad();
  EXPECT_LE(WalkSteps(nullptr), kFewSteps);
}

// Nine of ten keys, and then all.
TEST_F(FlatKeystoreTest, GivesMemoryBackWhenKeysGo) {
  constexpr uint64_t kKeys = 500000;
  const uint64_t empty = keystore_->MemoryBytes();
  for (uint64_t i = 0; i < kKeys; ++i) Set(absl::StrFormat("%016d", i), At(i));
  for (uint64_t i = 0; i < kKeys; ++i) {
    if (i % 10 != 0) Set(absl::StrFormat("%016d", i), Location());
  }
  // Slots eight times as many as keys, and keys twice.
  EXPECT_LE(keystore_->MemoryBytes() - empty, kKeys / 10 * (8 * 13 + 2 * 17 + 20));
  for (uint64_t i = 0; i < kKeys; i += 10) {
    Location location;
    ASSERT_TRUE(keystore_->Get(Prepared(absl::StrFormat("%016d", i)), &location).ok()) << i;
    ASSERT_EQ(location, At(i));
    Set(absl::StrFormat("%016d", i), Location());
  }
  EXPECT_EQ(keystore_->KeyCount(), 0u);
  EXPECT_LE(keystore_->MemoryBytes() - empty, 4096u * 128);
}

#ifndef RUMCASK_HEAP_NOT_COUNTED
// Shared keys, records and lists, of keys within their string and of longer ones.
TEST_F(FlatKeystoreTest, CountsAllMemoryThatSnapshotsTake) {
  constexpr uint64_t kKeys = 50000;
  const auto key = [](uint64_t i) {
    return i % 2 == 0 ? absl::StrCat(i) : absl::StrCat("a key that is longer than others ", i);
  };
  for (uint64_t i = 0; i < kKeys; ++i) Set(key(i), At(i));
  std::vector<std::shared_ptr<const KeystoreSnapshot>> snapshots;
  snapshots.push_back(keystore_->TakeSnapshot(sequence_));
  const uint64_t before = HeapInUse();
  const auto expect_counted = [&] {
    const auto taken = static_cast<double>(HeapInUse() - before);
    EXPECT_NEAR(static_cast<double>(keystore_->GetSnapshotUsage().undo_bytes), taken, taken / 40);
  };
  for (uint64_t i = 0; i < kKeys; ++i) Set(key(i), At(i + 1));
  expect_counted();
  snapshots.push_back(keystore_->TakeSnapshot(sequence_));
  for (uint64_t i = 0; i < kKeys; i += 3) Set(key(i), At(i));
  expect_counted();
  snapshots.erase(snapshots.begin());
  keystore_->FinishForgetting();
  expect_counted();
}
#endif

TEST_F(FlatKeystoreTest, AWalkAtASnapshotSeesItWhateverItsShardsGoThrough) {
  constexpr uint64_t kKeys = 50000;
  std::set<uint64_t> expected;
  for (uint64_t i = 0; i < kKeys; ++i) {
    Set(absl::StrCat("key", i), At(i));
    expected.insert(At(i).bits());
  }
  const auto snapshot = keystore_->TakeSnapshot(sequence_);
  const std::unique_ptr<KeystoreCursor> before = keystore_->NewCursor(snapshot);
  std::vector<Location> part;
  ASSERT_TRUE(before->Next(&part).ok());
  std::set<uint64_t> seen;
  for (const Location location : part) seen.insert(location.bits());
  // Tables shrink, their keys' bytes move; then they grow.
  for (uint64_t i = 0; i < kKeys; ++i) {
    if (i % 50 != 0) Set(absl::StrCat("key", i), Location());
  }
  for (uint64_t i = 0; i < 4 * kKeys; ++i) Set(absl::StrCat("other", i), At(kKeys + i));
  for (uint64_t i = 0; i < kKeys; i += 50) Set(absl::StrCat("key", i), At(10 * kKeys + i));
  for (const uint64_t bits : Walk(before.get())) EXPECT_TRUE(seen.insert(bits).second);
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(Walk(keystore_->NewCursor(snapshot).get()), expected);
  Location location;
  ASSERT_TRUE(keystore_->GetAt(*snapshot, Prepared("key1"), &location).ok());
  EXPECT_EQ(location, At(1));
  EXPECT_TRUE(absl::IsNotFound(keystore_->GetAt(*snapshot, Prepared("other1"), &location)));
}

TEST_F(FlatKeystoreTest, WhatSnapshotsSawIsForgottenToTheLastByte) {
  std::vector<std::shared_ptr<const KeystoreSnapshot>> snapshots;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 200; ++i) {
      Set(absl::StrCat("a key that is longer than fifteen bytes ", i % (10 * round + 1)),
          (i + round) % 7 == 0 ? Location() : At(i));
    }
    snapshots.push_back(keystore_->TakeSnapshot(sequence_));
  }
  EXPECT_GT(keystore_->GetSnapshotUsage().undo_bytes, 10000u);
  // From the middle outwards.
  while (!snapshots.empty()) snapshots.erase(snapshots.begin() + snapshots.size() / 2);
  keystore_->FinishForgetting();
  EXPECT_EQ(keystore_->GetSnapshotUsage().undo_bytes, 0u);
}

TEST_F(FlatKeystoreTest, AWalkWhoseSnapshotIsGivenUpSaysSo) {
  keystore_ = Make(/*max_undo_bytes=*/2000);
  for (uint64_t i = 0; i < 10000; ++i) Set(absl::StrCat("key", i), At(i));
  const auto snapshot = keystore_->TakeSnapshot(sequence_);
  const std::unique_ptr<KeystoreCursor> cursor = keystore_->NewCursor(snapshot);
  std::vector<Location> part;
  ASSERT_TRUE(cursor->Next(&part).ok());
  for (uint64_t i = 0; i < 10000; ++i) Set(absl::StrCat("key", i), Location());
  absl::Status status;
  do {
    status = cursor->Next(&part);
  } while (status.ok() && !part.empty());
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
}

}  // namespace
}  // namespace rumcask
