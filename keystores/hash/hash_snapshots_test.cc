// What the hash keystore keeps for snapshots, and what it costs to forget that. Work is counted in
// undo records, never in time.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/plugin/keystore.h"
#include "core/testing/heap_in_use.h"
#include "core/versions/snapshot_registry.h"
#include "keystores/hash/hash_keystore.h"

namespace rumcask {
namespace {

using Snapshot = std::shared_ptr<const KeystoreSnapshot>;

constexpr uint64_t kNoBound = uint64_t{1} << 40;

Location At(uint64_t n) { return Location::Make(0, (n + 1) * 64, 64); }

// A table whose keys are numbers; record n is at At(n).
class Table {
 public:
  explicit Table(uint64_t max_undo_bytes = kNoBound, bool background = false)
      : keystore_(*HashKeystore().create({max_undo_bytes, background})) {}

  Keystore& keystore() { return *keystore_; }
  SnapshotUsage usage() const { return keystore_->GetSnapshotUsage(); }
  uint64_t last() const { return last_; }

  void Put(uint64_t key) { Change(key, At(++last_)); }
  void Delete(uint64_t key) {
    ++last_;
    Change(key, Location());
  }
  void PutAll(uint64_t keys) {
    for (uint64_t key = 0; key < keys; ++key) Put(key);
  }
  Snapshot Take() { return keystore_->TakeSnapshot(last_); }

  absl::Status GetAt(const Snapshot& snapshot, uint64_t key, Location* location) const {
    const std::string bytes = absl::StrCat(key);
    PreparedKey prepared(bytes);
    keystore_->Digest(&prepared);
    return keystore_->GetAt(*snapshot, prepared, location);
  }
  Location Find(const Snapshot& snapshot, uint64_t key) const {
    Location location;
    const absl::Status status = GetAt(snapshot, key, &location);
    EXPECT_TRUE(status.ok() || absl::IsNotFound(status)) << status;
    return status.ok() ? location : Location();
  }

 private:
  void Change(uint64_t key, Location location) {
    const std::string bytes = absl::StrCat(key);
    PreparedKey prepared(bytes);
    keystore_->Digest(&prepared);
    (void)keystore_->Set(prepared, location, last_);
  }

  const std::unique_ptr<Keystore> keystore_;
  uint64_t last_ = 0;
};

TEST(HashSnapshots, AShortOneTouchesNothingOfALongOne) {
  constexpr uint64_t kKeys = 20000;
  Table table;
  table.PutAll(kKeys);
  const Snapshot old = table.Take();
  table.PutAll(kKeys);
  const uint64_t undo_bytes = table.usage().undo_bytes;
  for (uint64_t n = 0; n < 1000; ++n) {
    const Snapshot brief = table.Take();
    table.Put(n);
  }
  EXPECT_EQ(table.usage().looked_at, 1000u);
  // Nodes that were split stay split.
  EXPECT_LE(table.usage().undo_bytes, undo_bytes + undo_bytes / 10);
}

TEST(HashSnapshots, NoCallForgetsMoreThanASlice) {
  constexpr uint64_t kKeys = 5000;
  Table table;
  table.PutAll(kKeys);
  Snapshot large = table.Take();
  table.PutAll(kKeys);
  EXPECT_EQ(table.usage().looked_at, 0u);
  large.reset();
  uint64_t looked_at = SnapshotRegistry::kSlice;
  EXPECT_EQ(table.usage().looked_at, looked_at);
  for (uint64_t n = 0; looked_at < kKeys; ++n) {
    table.Put(n);
    looked_at = std::min(looked_at + SnapshotRegistry::kHelp, kKeys);
    ASSERT_EQ(table.usage().looked_at, looked_at);
  }
  EXPECT_EQ(table.usage().undo_bytes, 0u);
}

// Some keys change between all snapshots and some only between a few, and the snapshots end in
// every order.
TEST(HashSnapshots, NothingIsLeftInWhateverOrderTheyEnd) {
  constexpr uint64_t kKeys = 300;
  std::vector<size_t> order = {0, 1, 2, 3};
  do {
    Table table;
    table.PutAll(kKeys);
    std::vector<Snapshot> snapshots;
    std::vector<std::vector<Location>> then;
    for (uint64_t round = 0; round < order.size(); ++round) {
      snapshots.push_back(table.Take());
      then.emplace_back();
      for (uint64_t key = 0; key < kKeys; ++key) {
        then.back().push_back(table.Find(snapshots.back(), key));
      }
      for (uint64_t key = round; key < kKeys; key += round + 1) {
        if (key % 5 == 0) {
          table.Delete(key);
        } else {
          table.Put(key);
        }
      }
    }
    for (const size_t ending : order) {
      snapshots[ending].reset();
      for (size_t i = 0; i < order.size(); ++i) {
        for (uint64_t key = 0; snapshots[i] != nullptr && key < kKeys; ++key) {
          ASSERT_EQ(table.Find(snapshots[i], key), then[i][key]) << i << " " << key;
        }
      }
    }
    // Other calls have to forget the rest, because there is no background thread.
    for (uint64_t key = 0; table.usage().undo_bytes > 0 && key < kKeys; ++key) table.Put(key);
    ASSERT_EQ(table.usage().undo_bytes, 0u);
  } while (std::next_permutation(order.begin(), order.end()));
}

// When a snapshot ends and leaves records of a shard to an older one, these are found again when
// the older one ends.
TEST(HashSnapshots, WhatGoesToAnOlderOneGoesWithIt) {
  constexpr uint64_t kKeys = 100;
  Table table;
  table.PutAll(kKeys);
  Snapshot old = table.Take();
  table.PutAll(kKeys / 2);
  Snapshot young = table.Take();
  table.PutAll(kKeys);
  young.reset();
  EXPECT_EQ(table.usage().looked_at, kKeys);
  const uint64_t kept = table.usage().undo_bytes;
  EXPECT_GT(kept, 0u);
  old.reset();
  EXPECT_EQ(table.usage().looked_at, 2 * kKeys);
  EXPECT_EQ(table.usage().undo_bytes, 0u);
}

// Reads are refused at once, while the records are still there, and later, when they are gone.
TEST(HashSnapshots, GivenUpIsRefused) {
  constexpr uint64_t kKeys = 2000;
  Table table(100 * kKeys);
  table.PutAll(kKeys);
  const Snapshot old = table.Take();
  const std::unique_ptr<KeystoreCursor> cursor = table.keystore().NewCursor(old);
  std::vector<Location> locations;
  const auto serves = [&] {
    Location location;
    const absl::Status status = table.GetAt(old, 0, &location);
    EXPECT_EQ(status.ok() ? location : At(1), At(1));
    EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
    EXPECT_EQ(absl::IsResourceExhausted(table.GetAt(old, kKeys, &location)), !status.ok());
    return status.ok();
  };
  uint64_t key = 0;
  for (; serves(); ++key) {
    ASSERT_LT(key, kKeys) << "the bound does nothing";
    table.Put(key);
    ASSERT_LE(table.usage().undo_bytes, 100 * kKeys);
  }
  EXPECT_GT(table.usage().undo_bytes, 50 * kKeys) << "its records are gone already";
  EXPECT_EQ(table.usage().open, 0u);
  EXPECT_TRUE(absl::IsResourceExhausted(cursor->Next(&locations)));
  for (uint64_t n = 0; table.usage().undo_bytes > 0; ++n) {
    ASSERT_LT(n, kKeys);
    table.Put(n);
    ASSERT_FALSE(serves());
  }
}

// The number of snapshots that one call gives up is bounded, and so is what it frees.
TEST(HashSnapshots, ManyAtTheBound) {
  constexpr uint64_t kKeys = 4000;
  constexpr uint64_t kBound = 400000;
  Table table(kBound);
  table.PutAll(kKeys);
  std::vector<Snapshot> snapshots;
  for (uint64_t n = 0; n < 100; ++n) {
    snapshots.push_back(table.Take());
    table.Put(n);
  }
  uint64_t before = 0;
  uint64_t most = 0;
  for (uint64_t key = 0; key < kKeys; ++key) {
    table.Put(key);
    const uint64_t now = table.usage().looked_at;
    ASSERT_LE(now - before, SnapshotRegistry::kHelp);
    before = now;
    most = std::max(most, table.usage().undo_bytes);
  }
  EXPECT_LE(most, kBound + kBound / 8);
  EXPECT_EQ(table.usage().open, 0u);
}

#ifndef RUMCASK_HEAP_NOT_COUNTED
TEST(HashSnapshots, CountsAllMemoryItTakes) {
  constexpr uint64_t kKeys = 50000;
  Table table;
  table.PutAll(kKeys);
  std::vector<Snapshot> snapshots;
  for (int i = 0; i < 3; ++i) snapshots.push_back(table.Take());
  const uint64_t before = HeapInUse();
  const auto expect_counted = [&] {
    const auto taken = static_cast<double>(HeapInUse() - before);
    EXPECT_NEAR(static_cast<double>(table.usage().undo_bytes), taken, taken / 50);
  };
  table.PutAll(kKeys);
  expect_counted();
  EXPECT_LT(table.usage().undo_bytes, 110 * kKeys);
  snapshots.push_back(table.Take());
  table.PutAll(kKeys / 3);
  expect_counted();
  snapshots.erase(snapshots.begin(), snapshots.begin() + 3);
  table.keystore().FinishForgetting();
  expect_counted();
}
#endif

TEST(HashSnapshots, ReadersBesideForgettingInTheBackground) {
  constexpr uint64_t kKeys = 2000;
  for (const uint64_t bound : {kNoBound, uint64_t{200000}}) {
    Table table(bound, /*background=*/true);
    table.PutAll(kKeys);
    for (int round = 0; round < 20; ++round) {
      const uint64_t first = table.last() - kKeys + 1;
      std::vector<std::thread> readers;
      for (int t = 0; t < 2; ++t) {
        readers.emplace_back([&table, snapshot = table.Take(), first] {
          for (uint64_t key = 0; key < kKeys; ++key) {
            Location location;
            const absl::Status status = table.GetAt(snapshot, key, &location);
            if (absl::IsResourceExhausted(status)) return;
            ASSERT_TRUE(status.ok()) << status;
            ASSERT_EQ(location, At(first + key));
          }
        });
      }
      table.PutAll(kKeys);
      for (std::thread& reader : readers) reader.join();
    }
    EXPECT_EQ(table.usage().open, 0u);
    table.keystore().FinishForgetting();
    EXPECT_EQ(table.usage().undo_bytes, 0u);
  }
}

}  // namespace
}  // namespace rumcask
