// What the end of a snapshot costs each thread. Work is counted in records, never in time.

#include "core/versions/snapshot_registry.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "core/plugin/keystore.h"
#include "core/system/mutex.h"

namespace rumcask {
namespace {

using Snapshot = std::shared_ptr<const KeystoreSnapshot>;

constexpr size_t kSlice = SnapshotRegistry::kSlice;
constexpr size_t kHelp = SnapshotRegistry::kHelp;
constexpr uint64_t kRecordBytes = 100;
constexpr uint64_t kNoBound = uint64_t{1} << 40;

// A keystore whose records say only from which snapshot on they are seen.
class Shelf {
 public:
  explicit Shelf(uint64_t max_undo_bytes = kNoBound, bool background = false)
      : registry_({max_undo_bytes, background},
                  [this](uint64_t ended, size_t count) { Forget(ended, count); }) {}
  ~Shelf() { registry_.Stop(); }

  SnapshotRegistry& registry() { return registry_; }
  Snapshot Take(uint64_t sequence) { return registry_.Take(sequence); }

  // A change in which the version with number `end` replaced the one with number `version`. Returns
  // the snapshot that owns the record.
  std::optional<uint64_t> Change(uint64_t version, uint64_t end) {
    std::optional<uint64_t> owner;
    {
      MutexLock lock(mutex_);
      owner = registry_.Assign(version, end);
      if (owner.has_value()) {
        lists_[*owner].push_back(version);
        registry_.undo_bytes()->fetch_add(kRecordBytes);
      }
    }
    registry_.KeepUp();
    return owner;
  }
  void Change(size_t times, uint64_t version, uint64_t end) {
    for (size_t i = 0; i < times; ++i) (void)Change(version, end);
  }

  uint64_t looked_at() const { return registry_.Usage().looked_at; }
  uint64_t undo_bytes() const { return registry_.Usage().undo_bytes; }
  uint64_t open() const { return registry_.Usage().open; }
  bool Serves(const Snapshot& snapshot) { return SnapshotRegistry::Check(*snapshot).ok(); }

  // Held by a test to stop the thread that forgets.
  Mutex gate;
  std::atomic<bool> forgetting{false};

 private:
  void Forget(uint64_t ended, size_t count) {
    forgetting.store(true);
    MutexLock closed(gate);
    MutexLock lock(mutex_);
    for (; count > 0; --count) {
      ASSERT_FALSE(lists_[ended].empty());
      const uint64_t begin = lists_[ended].back();
      lists_[ended].pop_back();
      const std::optional<uint64_t> owner = registry_.Reassign(begin, ended);
      if (owner.has_value()) {
        lists_[*owner].push_back(begin);
      } else {
        registry_.undo_bytes()->fetch_sub(kRecordBytes);
      }
    }
  }

  SnapshotRegistry registry_;
  Mutex mutex_;
  std::map<uint64_t, std::vector<uint64_t>> lists_ ABSL_GUARDED_BY(mutex_);
};

TEST(SnapshotRegistry, ARecordBelongsToTheNewestThatSeesIt) {
  Shelf shelf;
  EXPECT_FALSE(shelf.registry().any());
  EXPECT_EQ(shelf.Change(1, 2), std::nullopt);
  const Snapshot ten = shelf.Take(10);
  const Snapshot twenty = shelf.Take(20);
  EXPECT_TRUE(shelf.registry().any());
  EXPECT_EQ(shelf.registry().newest(), 20u);
  EXPECT_EQ(shelf.Change(5, 30), 20u);
  EXPECT_EQ(shelf.Change(20, 21), 20u);
  EXPECT_EQ(shelf.Change(5, 20), 10u);
  EXPECT_EQ(shelf.Change(10, 11), 10u);
  EXPECT_EQ(shelf.Change(11, 20), std::nullopt);
  EXPECT_EQ(shelf.Change(21, 30), std::nullopt);
  EXPECT_EQ(shelf.Change(5, 10), std::nullopt);
  EXPECT_EQ(shelf.undo_bytes(), 4 * kRecordBytes);
}

TEST(SnapshotRegistry, TheNewestIsOneThatIsOpen) {
  Shelf shelf;
  const Snapshot ten = shelf.Take(10);
  Snapshot twenty = shelf.Take(20);
  Snapshot again = shelf.Take(20);
  EXPECT_EQ(shelf.open(), 3u);
  twenty.reset();
  EXPECT_EQ(shelf.registry().newest(), 20u);
  again.reset();
  EXPECT_EQ(shelf.registry().newest(), 10u);
  EXPECT_EQ(shelf.Change(15, 30), std::nullopt);
  EXPECT_EQ(shelf.open(), 1u);
}

// The end of a snapshot does not examine records that others own, however many there are.
TEST(SnapshotRegistry, AnEndLooksAtWhatTheSnapshotOwned) {
  Shelf shelf;
  const Snapshot old = shelf.Take(1);
  shelf.Change(100000, 1, 2);
  for (uint64_t n = 2; n < 1002; ++n) {
    const Snapshot brief = shelf.Take(n);
    EXPECT_EQ(shelf.Change(n, n + 1), n);
  }
  EXPECT_EQ(shelf.looked_at(), 1000u);
  EXPECT_EQ(shelf.undo_bytes(), 100000 * kRecordBytes);
}

TEST(SnapshotRegistry, WhatAnOlderOneSeesGoesToIt) {
  Shelf shelf;
  Snapshot ten = shelf.Take(10);
  Snapshot twenty = shelf.Take(20);
  shelf.Change(7, 5, 30);
  shelf.Change(3, 15, 30);
  twenty.reset();
  EXPECT_EQ(shelf.looked_at(), 10u);
  EXPECT_EQ(shelf.undo_bytes(), 7 * kRecordBytes);
  ten.reset();
  EXPECT_EQ(shelf.looked_at(), 17u);
  EXPECT_EQ(shelf.undo_bytes(), 0u);
  EXPECT_FALSE(shelf.registry().any());
}

// Without a background thread, the thread that releases a snapshot does one slice, and each later
// change a few records.
TEST(SnapshotRegistry, NoCallLooksAtMoreThanASlice) {
  constexpr size_t kRecords = 1000;
  Shelf shelf;
  Snapshot large = shelf.Take(1);
  shelf.Change(kRecords, 1, 2);
  large.reset();
  size_t looked_at = kSlice;
  EXPECT_EQ(shelf.looked_at(), looked_at);
  // Nothing more is kept, and later changes still have to help.
  while (looked_at < kRecords) {
    ASSERT_TRUE(shelf.registry().any());
    EXPECT_EQ(shelf.Change(2, 3), std::nullopt);
    looked_at = std::min(looked_at + kHelp, kRecords);
    ASSERT_EQ(shelf.looked_at(), looked_at);
    ASSERT_EQ(shelf.undo_bytes(), (kRecords - looked_at) * kRecordBytes);
  }
  EXPECT_FALSE(shelf.registry().any());
}

TEST(SnapshotRegistry, EachEndHasASliceOfItsOwn) {
  Shelf shelf;
  std::vector<Snapshot> snapshots;
  for (uint64_t n = 1; n <= 10; ++n) {
    snapshots.push_back(shelf.Take(n));
    shelf.Change(kSlice, n, n + 1);
  }
  for (Snapshot& snapshot : snapshots) {
    const uint64_t before = shelf.looked_at();
    snapshot.reset();
    EXPECT_EQ(shelf.looked_at() - before, kSlice);
  }
  EXPECT_EQ(shelf.undo_bytes(), 0u);
}

TEST(SnapshotRegistry, GivingUpOnlyMarks) {
  constexpr size_t kRecords = 1000;
  Shelf shelf(kRecords * kRecordBytes);
  const Snapshot old = shelf.Take(1);
  shelf.Change(kRecords, 1, 2);
  EXPECT_TRUE(shelf.Serves(old));
  EXPECT_EQ(shelf.looked_at(), 0u);
  shelf.Change(1, 1, 2);
  EXPECT_FALSE(shelf.Serves(old));
  EXPECT_TRUE(absl::IsResourceExhausted(SnapshotRegistry::Check(*old)));
  EXPECT_EQ(shelf.open(), 0u);
  EXPECT_EQ(shelf.looked_at(), kHelp);
  EXPECT_EQ(shelf.undo_bytes(), (kRecords + 1 - kHelp) * kRecordBytes);
}

// Otherwise the first change beyond the bound would give up all of them, one after the other.
TEST(SnapshotRegistry, WhatIsBeingForgottenIsNotHeldAgainstOthers) {
  constexpr size_t kRecords = 1000;
  Shelf shelf(kRecords * kRecordBytes);
  const Snapshot old = shelf.Take(1);
  shelf.Change(kRecords - 10, 1, 2);
  const Snapshot young = shelf.Take(2);
  const Snapshot younger = shelf.Take(3);
  uint64_t most = 0;
  for (int i = 0; i < 500; ++i) {
    shelf.Change(1, 3, 4);
    most = std::max(most, shelf.undo_bytes());
  }
  EXPECT_FALSE(shelf.Serves(old));
  EXPECT_TRUE(shelf.Serves(young));
  EXPECT_TRUE(shelf.Serves(younger));
  EXPECT_LE(most, kRecords * kRecordBytes);
  EXPECT_EQ(shelf.undo_bytes(), 500 * kRecordBytes);
  // A single snapshot may use all of the bound.
  shelf.Change(500, 3, 4);
  EXPECT_TRUE(shelf.Serves(younger));
  shelf.Change(1, 3, 4);
  EXPECT_FALSE(shelf.Serves(young));
  EXPECT_FALSE(shelf.Serves(younger));
}

// While the thread that forgets is blocked, snapshots are given up, and after that nothing more is
// kept.
TEST(SnapshotRegistry, MemoryStaysWithinAnEighthOfTheBound) {
  constexpr size_t kRecords = 1000;
  constexpr size_t kOthers = 5;
  Shelf shelf(kRecords * kRecordBytes, /*background=*/true);
  Snapshot old = shelf.Take(1);
  shelf.Change(kRecords, 1, 2);
  std::vector<Snapshot> others;
  for (uint64_t n = 2; n < 2 + kOthers; ++n) others.push_back(shelf.Take(n));
  std::thread ends;
  {
    MutexLock closed(shelf.gate);
    // The thread is stuck in the middle of forgetting.
    ends = std::thread([&old] { old.reset(); });
    while (!shelf.forgetting.load()) std::this_thread::yield();
    for (int i = 0; i < 10000; ++i) {
      const uint64_t n = 2 + kOthers + static_cast<uint64_t>(i);
      shelf.Change(1, n - 2, n);
      others.push_back(shelf.Take(n));
    }
    EXPECT_LE(shelf.undo_bytes(), (kRecords + kRecords / 8 + 4) * kRecordBytes);
    EXPECT_GE(shelf.undo_bytes(), (kRecords + kRecords / 8) * kRecordBytes);
    EXPECT_FALSE(shelf.Serves(others.front()));
  }
  ends.join();
  shelf.registry().Finish();
  const Snapshot fresh = shelf.Take(20000);
  shelf.Change(kRecords / 2, 20000, 20001);
  EXPECT_TRUE(shelf.Serves(fresh));
}

// However many snapshots of one moment there are.
TEST(SnapshotRegistry, AMomentIsGivenUpWithAllItsSnapshots) {
  Shelf shelf(/*max_undo_bytes=*/0);
  std::vector<Snapshot> same;
  for (int i = 0; i < 1000; ++i) same.push_back(shelf.Take(1));
  shelf.Change(1, 1, 2);
  for (const Snapshot& each : same) EXPECT_FALSE(shelf.Serves(each));
  EXPECT_EQ(shelf.undo_bytes(), 0u);
  EXPECT_EQ(shelf.open(), 0u);
  same.clear();
  EXPECT_EQ(shelf.open(), 0u);
  EXPECT_FALSE(shelf.registry().any());
}

// Older snapshots that own nothing go first, but not all of them in one change.
TEST(SnapshotRegistry, AChangeGivesUpABoundedNumber) {
  constexpr size_t kBefore = 10000;
  Shelf shelf(10 * kRecordBytes);
  std::vector<Snapshot> snapshots;
  for (uint64_t n = 1; n <= kBefore; ++n) snapshots.push_back(shelf.Take(n));
  uint64_t open = kBefore;
  for (int i = 0; i < 300; ++i) {
    shelf.Change(1, 1, kBefore + 1);
    EXPECT_LE(open - shelf.open(), 128u);
    open = shelf.open();
  }
  EXPECT_EQ(open, 0u);
  EXPECT_FALSE(shelf.registry().any());
}

// The rest is forgotten without any call.
TEST(SnapshotRegistry, TheBackgroundForgetsTheRest) {
  constexpr size_t kRecords = 10000;
  Shelf shelf(kNoBound, /*background=*/true);
  Snapshot large = shelf.Take(1);
  shelf.Change(kRecords, 1, 2);
  large.reset();
  while (shelf.registry().any()) std::this_thread::yield();
  EXPECT_EQ(shelf.looked_at(), kRecords);
  EXPECT_EQ(shelf.undo_bytes(), 0u);
}

// While one thread is in the middle of forgetting, others are not blocked.
TEST(SnapshotRegistry, ForgettingHoldsNobodyUp) {
  constexpr size_t kRecords = 10000;
  Shelf shelf(kNoBound, /*background=*/true);
  Snapshot large = shelf.Take(1);
  shelf.Change(kRecords, 1, 2);
  std::thread ends;
  {
    MutexLock closed(shelf.gate);
    ends = std::thread([&large] { large.reset(); });
    while (!shelf.forgetting.load()) std::this_thread::yield();
    for (uint64_t n = 2; n < 1000; ++n) {
      Snapshot brief = shelf.Take(n);
      EXPECT_EQ(shelf.registry().Assign(n, n), std::nullopt);
      shelf.registry().KeepUp();
      EXPECT_TRUE(shelf.Serves(brief));
      EXPECT_EQ(shelf.open(), 1u);
    }
    EXPECT_EQ(shelf.looked_at(), 0u);
  }
  ends.join();
  shelf.registry().Finish();
  EXPECT_EQ(shelf.undo_bytes(), 0u);
}

TEST(SnapshotRegistry, FinishForgetsAllAndEndsTheBackground) {
  constexpr size_t kRecords = 10000;
  for (const bool background : {false, true}) {
    Shelf shelf(kNoBound, background);
    Snapshot one = shelf.Take(1);
    shelf.Change(kRecords, 1, 2);
    Snapshot two = shelf.Take(2);
    shelf.Change(kRecords, 2, 3);
    one.reset();
    shelf.registry().Finish();
    EXPECT_EQ(shelf.looked_at(), kRecords);
    EXPECT_EQ(shelf.undo_bytes(), kRecords * kRecordBytes);
    EXPECT_TRUE(shelf.Serves(two));
    // From now on it is as if there had never been a snapshot.
    two.reset();
    EXPECT_EQ(shelf.looked_at(), kRecords + kSlice);
    shelf.registry().Finish();
    EXPECT_EQ(shelf.undo_bytes(), 0u);
  }
}

TEST(SnapshotRegistry, MayBeDestroyedWithMuchToForget) {
  Shelf shelf(kNoBound, /*background=*/true);
  Snapshot large = shelf.Take(1);
  shelf.Change(100000, 1, 2);
  large.reset();
}

TEST(SnapshotRegistry, ManyThreads) {
  constexpr uint64_t kBound = 1000 * kRecordBytes;
  for (const bool background : {false, true}) {
    Shelf shelf(kBound, background);
    std::atomic<uint64_t> number{1};
    Mutex write_mutex;
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        std::vector<Snapshot> held;
        for (int i = 0; i < 2000; ++i) {
          {
            MutexLock lock(write_mutex);
            held.push_back(shelf.Take(number.load()));
          }
          (void)shelf.Serves(held.front());
          if (held.size() > 20) held.erase(held.begin() + i % 20);
        }
      });
    }
    for (int i = 0; i < 20000; ++i) {
      MutexLock lock(write_mutex);
      const uint64_t n = number.fetch_add(1);
      (void)shelf.Change(n - n % 100, n + 1);
      EXPECT_LE(shelf.undo_bytes(), kBound + kBound / 8 + 2 * kRecordBytes);
    }
    for (std::thread& thread : threads) thread.join();
    shelf.registry().Finish();
    EXPECT_EQ(shelf.open(), 0u);
    EXPECT_EQ(shelf.undo_bytes(), 0u);
    EXPECT_FALSE(shelf.registry().any());
  }
}

}  // namespace
}  // namespace rumcask
