// Which past versions snapshots see, what is kept for them, and what it costs to forget it. Work is
// counted in versions, never in time.

#include "core/versions/past_versions.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/plugin/keystore.h"
#include "core/system/mutex.h"
#include "core/testing/heap_in_use.h"

namespace rumcask {
namespace {

using Snapshot = std::shared_ptr<const KeystoreSnapshot>;

constexpr uint64_t kNoBound = uint64_t{1} << 40;

KeyVersion At(uint64_t sequence) { return {sequence, Location::Make(0, sequence * 8, 8)}; }

// The number of the version that the snapshot sees here, or 0.
uint64_t Find(const PastVersions& past, const Snapshot& snapshot, std::string_view key) {
  bool found = false;
  KeyVersion version;
  EXPECT_TRUE(past.Find(*snapshot, key, &found, &version).ok());
  if (!found) return 0;
  EXPECT_EQ(version.location, At(version.sequence).location);
  return version.sequence;
}

TEST(PastVersions, ASnapshotSeesWhatWasThereThen) {
  PastVersions past({kNoBound, false});
  past.Keep("k", At(1), 2);
  EXPECT_EQ(past.Usage().undo_bytes, 0u) << "nobody sees it";
  const Snapshot three = past.TakeSnapshot(3);
  const Snapshot six = past.TakeSnapshot(6);
  past.Keep("k", At(2), 5);
  past.Keep("k", At(5), 8);
  past.Keep("k", At(8), 9);
  EXPECT_EQ(Find(past, three, "k"), 2u);
  EXPECT_EQ(Find(past, six, "k"), 5u);
  EXPECT_EQ(Find(past, six, "j"), 0u);
  EXPECT_EQ(Find(past, six, "kk"), 0u);
  // A snapshot before number 4 finds its version elsewhere.
  past.Keep("late", At(4), 9);
  EXPECT_EQ(Find(past, three, "late"), 0u);
  EXPECT_EQ(Find(past, six, "late"), 4u);
}

// A write buffer replaces 20 by 30 in memory. Later, when 30 reaches the index, it replaces 10
// there.
TEST(PastVersions, AVersionEndsWhereTheNextOneThatIsKeptBegins) {
  PastVersions past({kNoBound, false});
  Snapshot later = past.TakeSnapshot(25);
  past.Keep("k", At(20), 30);
  const uint64_t one = past.Usage().undo_bytes;
  past.Keep("k", At(10), 30);
  EXPECT_EQ(past.Usage().undo_bytes, one) << "10 ended at 20, before the only snapshot";
  EXPECT_EQ(Find(past, later, "k"), 20u);

  PastVersions both({kNoBound, false});
  const Snapshot early = both.TakeSnapshot(15);
  later = both.TakeSnapshot(25);
  both.Keep("k", At(20), 30);
  both.Keep("k", At(10), 30);
  EXPECT_EQ(Find(both, early, "k"), 10u);
  EXPECT_EQ(Find(both, later, "k"), 20u);
  later.reset();
  EXPECT_EQ(both.Usage().undo_bytes, one) << "20 has gone";
  EXPECT_EQ(Find(both, early, "k"), 10u);
}

TEST(PastVersions, KeepsAVersionOnce) {
  PastVersions past({kNoBound, false});
  Snapshot snapshot = past.TakeSnapshot(5);
  past.Keep("k", At(3), 6);
  const uint64_t one = past.Usage().undo_bytes;
  past.Keep("k", At(3), 6);
  EXPECT_EQ(past.Usage().undo_bytes, one);
  snapshot.reset();
  EXPECT_EQ(past.Usage().looked_at, 1u);
  EXPECT_EQ(past.Usage().undo_bytes, 0u);
}

// The model has every version of each key and the list of open snapshots.
TEST(PastVersions, AgreesWithAModel) {
  for (const uint64_t seed : {1, 2, 3}) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    PastVersions past({kNoBound, false});
    std::map<std::string, std::vector<uint64_t>> versions;
    std::vector<std::string> keys;
    for (int i = 0; i < 30; ++i) {
      keys.push_back(std::string(random() % 40, 'k') + absl::StrCat(i));
      versions[keys.back()] = {1};
    }
    std::vector<Snapshot> open;
    uint64_t number = 1;
    for (int step = 0; step < 3000; ++step) {
      const uint64_t kind = random() % 10;
      if (kind < 6) {
        const std::string& key = keys[random() % keys.size()];
        past.Keep(key, At(versions[key].back()), ++number);
        versions[key].push_back(number);
        past.KeepUp();
      } else if (kind < 8) {
        open.push_back(past.TakeSnapshot(number));
      } else if (!open.empty()) {
        std::swap(open[random() % open.size()], open.back());
        open.pop_back();
      }
      if (step % 10 != 0 || open.empty()) continue;
      const Snapshot& snapshot = open[random() % open.size()];
      for (const std::string& key : keys) {
        uint64_t seen = 0;
        for (const uint64_t version : versions[key]) {
          if (version <= snapshot->sequence()) seen = version;
        }
        // The newest version is not kept here.
        if (seen == versions[key].back()) seen = 0;
        ASSERT_EQ(Find(past, snapshot, key), seen) << key << " at step " << step;
      }
    }
    open.clear();
    past.FinishForgetting();
    EXPECT_EQ(past.Usage().undo_bytes, 0u);
  }
}

TEST(PastVersions, AnEndLooksAtWhatTheSnapshotWatched) {
  constexpr uint64_t kOld = 20000;
  PastVersions past({kNoBound, false});
  const Snapshot old = past.TakeSnapshot(kOld);
  for (uint64_t i = 1; i <= kOld; ++i) past.Keep(absl::StrCat("key", i), At(i), kOld + i);
  const uint64_t undo_bytes = past.Usage().undo_bytes;
  for (uint64_t n = 3 * kOld; n < 3 * kOld + 1000; ++n) {
    const Snapshot brief = past.TakeSnapshot(n);
    past.Keep(absl::StrCat("key", n % kOld), At(n), n + 1);
    past.KeepUp();
  }
  EXPECT_EQ(past.Usage().looked_at, 1000u);
  EXPECT_EQ(past.Usage().undo_bytes, undo_bytes);
}

TEST(PastVersions, NoCallForgetsMoreThanASlice) {
  constexpr uint64_t kKeys = 5000;
  PastVersions past({kNoBound, false});
  Snapshot large = past.TakeSnapshot(kKeys);
  for (uint64_t i = 1; i <= kKeys; ++i) past.Keep(absl::StrCat("key", i), At(i), kKeys + i);
  large.reset();
  uint64_t looked_at = past.Usage().looked_at;
  EXPECT_EQ(looked_at, SnapshotRegistry::kSlice);
  while (past.wanted()) {
    past.Keep("other", At(kKeys), 3 * kKeys);
    past.KeepUp();
    const uint64_t now = past.Usage().looked_at;
    ASSERT_GT(now, looked_at);
    ASSERT_LE(now - looked_at, SnapshotRegistry::kHelp);
    looked_at = now;
  }
  EXPECT_EQ(looked_at, kKeys);
  EXPECT_EQ(past.Usage().undo_bytes, 0u);
}

TEST(PastVersions, GivenUpIsRefusedBeforeAnythingIsForgotten) {
  constexpr uint64_t kKeys = 1000;
  PastVersions past({50 * kKeys, false});
  const Snapshot old = past.TakeSnapshot(kKeys);
  const Snapshot young = past.TakeSnapshot(kKeys + 1);
  uint64_t next = 1;
  bool found = false;
  KeyVersion version;
  KeyBlock block;
  const auto serves = [&] {
    const absl::Status found_status = past.Find(*old, "key1", &found, &version);
    EXPECT_EQ(past.Scan(*old, {}, 10, &block).ok(), found_status.ok());
    if (!found_status.ok()) {
      EXPECT_TRUE(absl::IsResourceExhausted(found_status));
      EXPECT_FALSE(found);
      EXPECT_TRUE(block.empty());
    }
    return found_status.ok();
  };
  while (serves()) {
    ASSERT_LT(next, kKeys) << "the bound does nothing";
    ASSERT_EQ(past.Usage().looked_at, 0u);
    ASSERT_TRUE(found || next == 1);
    past.Keep(absl::StrCat("key", next), At(next), 2 * kKeys + next);
    past.KeepUp();
    ++next;
  }
  // The younger snapshot saw everything, too, and took the records over.
  EXPECT_LE(past.Usage().looked_at, SnapshotRegistry::kHelp);
  EXPECT_EQ(past.Usage().open, 0u);
}

#ifndef RUMCASK_HEAP_NOT_COUNTED
// The count is right whatever the lengths of the keys and the numbers of their versions.
TEST(PastVersions, CountsAllMemoryItTakes) {
  constexpr uint64_t kKeys = 20000;
  std::vector<std::string> keys;
  for (uint64_t i = 0; i < kKeys; ++i) keys.push_back(std::string(i % 50, 'k') + absl::StrCat(i));
  PastVersions past({kNoBound, false});
  std::vector<Snapshot> snapshots;
  for (uint64_t n = 1; n < 4; ++n) snapshots.push_back(past.TakeSnapshot(n * 3 * kKeys));
  const uint64_t before = HeapInUse();
  const auto expect_counted = [&] {
    const auto taken = static_cast<double>(HeapInUse() - before);
    EXPECT_NEAR(static_cast<double>(past.Usage().undo_bytes), taken, taken / 50);
  };
  for (uint64_t n = 1; n < 4; ++n) {
    for (uint64_t i = 0; i < kKeys / n; ++i) {
      past.Keep(keys[i], At(n * 3 * kKeys - i), (n + 1) * 3 * kKeys - i);
    }
    expect_counted();
  }
  snapshots.erase(snapshots.begin() + 1);
  past.FinishForgetting();
  expect_counted();
}
#endif

TEST(PastVersions, ReadersAndWritersBesideForgetting) {
  for (const bool background : {false, true}) {
    PastVersions past({kNoBound, background});
    constexpr uint64_t kKeys = 100;
    std::atomic<bool> done{false};
    std::atomic<uint64_t> found{0};  // lookups that found a version
    Mutex mutex;                     // guards the newest state
    uint64_t number = kKeys;
    std::vector<uint64_t> newest;
    for (uint64_t i = 0; i < kKeys; ++i) newest.push_back(i + 1);
    const auto write = [&] {  // with the mutex held
      const uint64_t i = number * 7 % kKeys;
      if (past.wanted()) {
        past.Keep(absl::StrCat(i), At(newest[i]), number + 1);
        past.KeepUp();
      }
      newest[i] = ++number;
    };
    // Waits until every key has been replaced, and returns the newest state of that moment.
    const auto await_writes = [&] {
      uint64_t until = 0;
      while (true) {
        {
          MutexLock lock(mutex);
          if (until == 0) until = number + kKeys;
          if (number >= until || done.load()) return newest;
        }
        std::this_thread::yield();
      }
    };
    std::vector<std::thread> readers;
    for (int t = 0; t < 2; ++t) {
      readers.emplace_back([&] {
        while (!done.load()) {
          Snapshot snapshot;
          std::vector<uint64_t> then;
          // They see what the first one sees, except for a few keys. The newest ends first.
          std::vector<Snapshot> newer(3);
          {
            MutexLock lock(mutex);
            snapshot = past.TakeSnapshot(number);
            then = newest;
            for (Snapshot& each : newer) {
              write();
              each = past.TakeSnapshot(number);
            }
          }
          while (!newer.empty()) {
            const std::vector<uint64_t> now = await_writes();
            newer.pop_back();
            for (uint64_t i = 0; i < kKeys; ++i) {
              const uint64_t seen = Find(past, snapshot, absl::StrCat(i));
              if (seen == then[i]) {
                found.fetch_add(1);
              } else {
                // Only if the key was not replaced before the lookup may it be missing here.
                ASSERT_EQ(seen, 0u);
                ASSERT_EQ(now[i], then[i]) << "forgotten too early";
              }
            }
          }
        }
      });
    }
    // Continues until enough lookups have found something here.
    for (uint64_t n = 0; n < 20000 || (found.load() < 10 * kKeys && !HasFailure()); ++n) {
      MutexLock lock(mutex);
      write();
    }
    done.store(true);
    for (std::thread& reader : readers) reader.join();
    past.FinishForgetting();
    EXPECT_EQ(past.Usage().undo_bytes, 0u);
    EXPECT_FALSE(past.wanted());
  }
}

}  // namespace
}  // namespace rumcask
