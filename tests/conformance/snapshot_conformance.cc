// What reads at snapshots return, and what snapshots may cost.

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/plugin/keystore.h"
#include "tests/conformance/keystore_conformance.h"
#include "tests/conformance/tested_keystore.h"
#include "tests/conformance/trying_keys.h"

namespace rumcask {
namespace {

using Held = TestedKeystore::Held;

TEST_P(KeystoreConformance, ASnapshotHasTheNumberItWasTakenWith) {
  TestedKeystore tested(factory());
  const Held empty = tested.Take();
  EXPECT_EQ(empty.snapshot->sequence(), 0u);
  ASSERT_EQ(tested.Put("k"), "");
  EXPECT_EQ(tested.Take().snapshot->sequence(), 1u);
  // Nothing existed at number 0.
  EXPECT_EQ(tested.CompareGetAt(empty, {"k", "other"}), "");
  EXPECT_EQ(tested.CompareWalk(empty), "");
}

TEST_P(KeystoreConformance, ASnapshotSeesNoLaterChangeOfAnyKind) {
  TestedKeystore tested(factory());
  const std::vector<std::string> keys = {
      "stays", "changes", "goes", "comes", "goes and comes", "comes and goes", "changes often"};
  for (const std::string key : {"stays", "changes", "goes", "goes and comes", "changes often"}) {
    ASSERT_EQ(tested.Put(key), "");
  }
  const Held held = tested.Take();
  ASSERT_EQ(tested.Put("changes"), "");
  ASSERT_EQ(tested.Delete("goes"), "");
  ASSERT_EQ(tested.Put("comes"), "");
  ASSERT_EQ(tested.Delete("goes and comes"), "");
  ASSERT_EQ(tested.Put("goes and comes"), "");
  ASSERT_EQ(tested.Put("comes and goes"), "");
  ASSERT_EQ(tested.Delete("comes and goes"), "");
  for (int i = 0; i < 10; ++i) ASSERT_EQ(tested.Put("changes often"), "");
  EXPECT_EQ(tested.CompareGetAt(held, keys), "");
  EXPECT_EQ(tested.CompareWalk(held), "");
  EXPECT_EQ(tested.CompareNow(), "");
}

// Many snapshots at once, some of the same moment, are released in any order.
TEST_P(KeystoreConformance, ManySnapshotsEachSeeTheirOwnMoment) {
  for (const uint64_t seed : {1, 2, 3, 4}) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    TestedKeystore tested(factory());
    // Includes a few keys that change all the time and many that hardly change.
    const std::vector<std::string> keys =
        TryingKeys(seed % 2 == 0 ? 1000 : 60, std::min<size_t>(traits().max_key_bytes, 300));
    std::vector<Held> held;
    for (int round = 0; round < 300; ++round) {
      for (uint64_t n = random() % 30; n > 0; --n) ASSERT_EQ(tested.Change(keys, &random), "");
      for (uint64_t n = random() % 3; n > 0; --n) held.push_back(tested.Take());
      while (!held.empty() && (held.size() > 40 || random() % 2 == 0)) {
        std::swap(held[random() % held.size()], held.back());
        held.pop_back();
      }
      if (held.empty()) continue;
      const Held& one = held[random() % held.size()];
      ASSERT_EQ(tested.CompareGetAt(one, keys), "") << "round " << round;
      ASSERT_EQ(tested.CompareWalk(one), "") << "round " << round;
      if (GetParam().bounds_undo) {
        ASSERT_EQ(tested.keystore().GetSnapshotUsage().open, held.size());
      }
      if (round % 50 != 0) continue;
      for (const Held& each : held) {
        ASSERT_EQ(tested.CompareGetAt(each, keys), "") << "round " << round;
        ASSERT_EQ(tested.CompareWalk(each), "") << "round " << round;
      }
    }
    held.clear();
    tested.keystore().FinishForgetting();
    EXPECT_EQ(tested.keystore().GetSnapshotUsage().open, 0u);
    EXPECT_EQ(tested.keystore().GetSnapshotUsage().undo_bytes, 0u);
    ASSERT_EQ(tested.CompareNow(), "");
  }
}

// Keys change over and over while snapshots of many moments are held.
TEST_P(KeystoreConformance, SnapshotsOfOneKeyAtEveryVersion) {
  TestedKeystore tested(factory());
  const std::vector<std::string> keys = {"k", "other"};
  std::vector<Held> held;
  for (int i = 0; i < 60; ++i) {
    held.push_back(tested.Take());
    ASSERT_EQ(i % 7 == 6 ? tested.Delete("k") : tested.Put("k"), "");
    if (i % 3 == 0) held.push_back(tested.Take());
  }
  std::mt19937_64 random(3);
  std::shuffle(held.begin(), held.end(), random);
  while (!held.empty()) {
    for (const Held& each : held) {
      ASSERT_EQ(tested.CompareGetAt(each, keys), "");
      ASSERT_EQ(tested.CompareWalk(each), "");
    }
    held.pop_back();
  }
  tested.keystore().FinishForgetting();
  EXPECT_EQ(tested.keystore().GetSnapshotUsage().undo_bytes, 0u);
}

TEST_P(KeystoreConformance, RelocationTakesNothingFromASnapshot) {
  TestedKeystore tested(factory());
  std::vector<std::string> keys;
  for (int i = 0; i < 200; ++i) keys.push_back(absl::StrCat("key", i));
  for (const std::string& key : keys) ASSERT_EQ(tested.Put(key), "");
  const Held before = tested.Take();
  for (const std::string& key : keys) ASSERT_EQ(tested.Relocate(key), "");
  const uint64_t undo_bytes = tested.keystore().GetSnapshotUsage().undo_bytes;
  EXPECT_EQ(undo_bytes, 0u) << "moving a record is no change";
  const Held between = tested.Take();
  for (size_t i = 0; i < keys.size(); i += 2) ASSERT_EQ(tested.Delete(keys[i]), "");
  for (const std::string& key : keys) ASSERT_EQ(tested.Relocate(key), "");
  for (size_t i = 0; i < keys.size(); i += 3) ASSERT_EQ(tested.Put(keys[i]), "");
  for (const std::string& key : keys) ASSERT_EQ(tested.Relocate(key), "");
  for (const Held* held : {&before, &between}) {
    EXPECT_EQ(tested.CompareGetAt(*held, keys), "");
    EXPECT_EQ(tested.CompareWalk(*held), "");
  }
}

// ---- cost ----

TEST_P(KeystoreConformance, NothingIsKeptForNobody) {
  TestedKeystore tested(factory());
  std::mt19937_64 random(4);
  const std::vector<std::string> keys = TryingKeys(100, 100);
  const auto usage = [&] { return tested.keystore().GetSnapshotUsage(); };
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(tested.Change(keys, &random), "");
  EXPECT_EQ(usage().undo_bytes, 0u);
  EXPECT_EQ(usage().open, 0u);
  (void)tested.Take();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(tested.Change(keys, &random), "");
  EXPECT_EQ(usage().undo_bytes, 0u);
  EXPECT_EQ(usage().open, 0u);
}

TEST_P(UndoBoundConformance, CountsWhatSnapshotsKeep) {
  TestedKeystore tested(factory());
  for (int i = 0; i < 100; ++i) ASSERT_EQ(tested.Put(absl::StrCat("key", i)), "");
  const auto undo_bytes = [&] { return tested.keystore().GetSnapshotUsage().undo_bytes; };
  Held held = tested.Take();
  EXPECT_EQ(undo_bytes(), 0u) << "taking one copies nothing";
  // Only the first change of a key needs to be kept.
  ASSERT_EQ(tested.Put("key0"), "");
  const uint64_t one = undo_bytes();
  EXPECT_GE(one, sizeof(Location));
  for (int i = 0; i < 50; ++i) ASSERT_EQ(tested.Put("key0"), "");
  EXPECT_EQ(undo_bytes(), one);
  for (int i = 1; i < 100; ++i) ASSERT_EQ(tested.Put(absl::StrCat("key", i)), "");
  EXPECT_GE(undo_bytes(), 100 * sizeof(Location));
  // A second snapshot of the same moment costs nothing, and neither does its end.
  Held again = tested.Take();
  const uint64_t all = undo_bytes();
  again = Held();
  EXPECT_EQ(undo_bytes(), all);
  held = Held();
  tested.keystore().FinishForgetting();
  EXPECT_EQ(undo_bytes(), 0u);
}

// The most that one operation may examine in order to forget; it does not grow with what is kept.
constexpr uint64_t kMostLookedAt = 200;

// One snapshot is held for long and keeps much, while many short ones come and go. Each of those
// costs only what it has kept itself.
TEST_P(UndoBoundConformance, ShortSnapshotsDoNotPayForALongOne) {
  TestedKeystore tested(factory());
  std::vector<std::string> keys;
  for (int i = 0; i < 5000; ++i) keys.push_back(absl::StrCat("key", i));
  for (const std::string& key : keys) ASSERT_EQ(tested.Put(key), "");
  const Held held = tested.Take();
  for (const std::string& key : keys) ASSERT_EQ(tested.Put(key), "");
  const auto looked_at = [&] { return tested.keystore().GetSnapshotUsage().looked_at; };
  for (int i = 0; i < 200; ++i) {
    const uint64_t before = looked_at();
    {
      const Held brief = tested.Take();
      ASSERT_EQ(tested.Put(keys[i]), "");
    }
    ASSERT_LE(looked_at() - before, 1u);
  }
  ASSERT_EQ(tested.CompareGetAt(held, keys), "");
}

// No operation pays for the end of a large snapshot, or for giving it up at the bound.
TEST_P(UndoBoundConformance, TheEndOfALargeSnapshotIsSpreadOverManyOperations) {
  for (const uint64_t bound : {uint64_t{1} << 40, uint64_t{400000}}) {
    TestedKeystore tested(factory(), bound);
    std::vector<std::string> keys;
    for (int i = 0; i < 5000; ++i) keys.push_back(absl::StrCat("key", i));
    for (const std::string& key : keys) ASSERT_EQ(tested.Put(key), "");
    uint64_t before = 0;
    const auto looked_at_since = [&] {
      const uint64_t now = tested.keystore().GetSnapshotUsage().looked_at;
      return now - std::exchange(before, now);
    };
    uint64_t all = 0;
    {
      Held held = tested.Take();
      for (const std::string& key : keys) {
        ASSERT_EQ(tested.Put(key), "");
        const uint64_t looked_at = looked_at_since();
        ASSERT_LE(looked_at, kMostLookedAt);
        all += looked_at;
      }
      held = Held();
      ASSERT_LE(looked_at_since(), kMostLookedAt);
    }
    for (const std::string& key : keys) {
      ASSERT_EQ(tested.Put(key), "");
      ASSERT_LE(looked_at_since(), kMostLookedAt);
      if (tested.keystore().GetSnapshotUsage().undo_bytes == 0) break;
    }
    EXPECT_EQ(tested.keystore().GetSnapshotUsage().undo_bytes, 0u) << "nobody forgets the rest";
    EXPECT_EQ(all > 0, bound == 400000) << "the bound was not met";
  }
}

// One snapshot is held for long while many short ones come and go.
TEST_P(UndoBoundConformance, ShortSnapshotsLeaveNothingBesideALongOne) {
  TestedKeystore tested(factory());
  const std::vector<std::string> keys = {"a", "b", "c"};
  for (const std::string& key : keys) ASSERT_EQ(tested.Put(key), "");
  const Held held = tested.Take();
  uint64_t most = 0;
  for (int round = 0; round < 3000; ++round) {
    const Held brief = tested.Take();
    for (const std::string& key : keys) ASSERT_EQ(tested.Put(key), "");
    ASSERT_EQ(tested.CompareGetAt(brief, keys), "");
    const uint64_t undo_bytes = tested.keystore().GetSnapshotUsage().undo_bytes;
    if (round < 10) most = std::max(most, undo_bytes);
    ASSERT_LE(undo_bytes, most) << "round " << round;
  }
  ASSERT_EQ(tested.CompareGetAt(held, keys), "");
  ASSERT_EQ(tested.CompareWalk(held), "");
}

// ---- at the bound ----

bool Exhausted(const TestedKeystore& tested, const Held& held, std::string_view key) {
  Location got;
  // The keystore is used through a const reference, as readers use it.
  const Keystore& keystore = const_cast<TestedKeystore&>(tested).keystore();
  return absl::IsResourceExhausted(keystore.GetAt(*held.snapshot, tested.Prepared(key), &got));
}

// Tries every way of reading at a snapshot that was given up.
std::string CompareExhausted(TestedKeystore* tested, const Held& held,
                             const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    if (!Exhausted(*tested, held, key)) return "GetAt works";
  }
  if (!Exhausted(*tested, held, "nowhere")) return "GetAt of a missing key works";
  std::vector<Location> locations;
  std::vector<std::pair<std::string, TestedKeystore::Entry>> entries;
  for (const bool reverse : {false, true}) {
    const absl::Status status =
        tested->keystore().NewCursor(nullptr) == nullptr
            ? ScanAll(tested->keystore(), *held.snapshot, reverse, 10, &entries)
            : WalkAll(tested->keystore(), held.snapshot, &locations);
    if (!absl::IsResourceExhausted(status)) return absl::StrCat("walk: ", status.ToString());
  }
  return locations.empty() && entries.empty() ? "" : "a walk yields something";
}

TEST_P(UndoBoundConformance, GivesUpTheOldestSnapshotAtTheBound) {
  constexpr uint64_t kBound = 60000;
  constexpr int kSnapshots = 6;
  TestedKeystore tested(factory(), kBound);
  std::vector<std::string> keys;
  for (int i = 0; i < 3000; ++i) {
    keys.push_back(absl::StrCat("key", i));
    ASSERT_EQ(tested.Put(keys.back()), "");
  }
  std::vector<Held> held;
  // The first two are of one moment.
  held.push_back(tested.Take());
  size_t given_up = 0;
  size_t next = 0;
  const auto change = [&] {
    // The writer is not affected: Apply still returns what it replaces.
    ASSERT_EQ(next % 3 == 0 ? tested.Delete(keys[next % keys.size()])
                            : tested.Put(keys[next % keys.size()]),
              "");
    ++next;
    const SnapshotUsage usage = tested.keystore().GetSnapshotUsage();
    ASSERT_LE(usage.undo_bytes, kBound);
    while (given_up < held.size() && Exhausted(tested, held[given_up], "key0")) ++given_up;
    ASSERT_EQ(usage.open, held.size() - given_up) << "not the oldest, or not counted";
  };
  for (int n = 1; n < kSnapshots; ++n) {
    held.push_back(tested.Take());
    for (int i = 0; i < 40; ++i) {
      change();
      if (HasFatalFailure()) return;
    }
  }
  ASSERT_EQ(given_up, 0u) << "within the bound";
  while (given_up < held.size()) {
    const size_t before = given_up;
    // Each snapshot has changes that only it sees, so that giving up one moment is enough.
    const size_t next_moment = before == 0 ? 2 : before + 1;
    for (int i = 0; i < 20 && given_up == before; ++i) {
      change();
      if (HasFatalFailure()) return;
    }
    if (given_up != before) {
      ASSERT_EQ(given_up, next_moment);
    }
    for (size_t i = 0; i < held.size(); ++i) {
      if (i < given_up) {
        ASSERT_EQ(CompareExhausted(&tested, held[i], {"key1", "key2999"}), "") << i;
      } else if (given_up != before) {
        ASSERT_EQ(tested.CompareGetAt(held[i], keys), "") << i;
        ASSERT_EQ(tested.CompareWalk(held[i]), "") << i;
      }
    }
    ASSERT_LT(next, 5000u) << "the bound does nothing";
  }
  tested.keystore().FinishForgetting();
  EXPECT_EQ(tested.keystore().GetSnapshotUsage().open, 0u);
  EXPECT_EQ(tested.keystore().GetSnapshotUsage().undo_bytes, 0u);
  // New snapshots work beside those that were given up, whose end changes nothing.
  const Held fresh = tested.Take();
  ASSERT_EQ(tested.Put("key5"), "");
  held.clear();
  EXPECT_EQ(tested.keystore().GetSnapshotUsage().open, 1u);
  EXPECT_EQ(tested.CompareGetAt(fresh, keys), "");
  EXPECT_EQ(tested.CompareWalk(fresh), "");
  EXPECT_EQ(tested.CompareNow(), "");
}

// This holds however little is left of the keys that the walk was to yield.
TEST_P(UndoBoundConformance, AWalkUnderWayEndsWhenItsSnapshotIsGivenUp) {
  for (const bool deletes : {false, true}) {
    for (const uint64_t bound : {uint64_t{5000}, uint64_t{0}}) {
      SCOPED_TRACE(absl::StrCat(deletes ? "deletes" : "puts", ", bound ", bound));
      TestedKeystore tested(factory(), bound);
      for (int i = 0; i < 2000; ++i) ASSERT_EQ(tested.Put(absl::StrCat("key", i)), "");
      const Held held = tested.Take();
      const std::unique_ptr<KeystoreCursor> cursor = tested.keystore().NewCursor(held.snapshot);
      KeyBlock block;
      std::vector<Location> part;
      const auto next = [&]() -> absl::Status {
        if (cursor != nullptr) return cursor->Next(&part);
        const std::string last(block.empty() ? "" : block.key(block.size() - 1));
        return tested.keystore().Scan(*held.snapshot, {last, {}, !last.empty()}, 5, &block);
      };
      ASSERT_TRUE(next().ok());
      for (int i = 0; i < 2000; ++i) {
        const std::string key = absl::StrCat("key", i);
        ASSERT_EQ(deletes ? tested.Delete(key) : tested.Put(key), "");
      }
      for (int again = 0; again < 3; ++again) {
        const absl::Status status = next();
        EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
        EXPECT_FALSE(status.message().empty());
      }
    }
  }
}

// Not even one change fits.
TEST_P(UndoBoundConformance, WithoutAnyUndoMemoryASnapshotLastsUntilTheFirstChange) {
  TestedKeystore tested(factory(), 0);
  ASSERT_EQ(tested.Put("k"), "");
  const Held held = tested.Take();
  EXPECT_EQ(tested.CompareGetAt(held, {"k", "other"}), "");
  ASSERT_EQ(tested.Put("k"), "");
  EXPECT_TRUE(Exhausted(tested, held, "k"));
  EXPECT_EQ(tested.keystore().GetSnapshotUsage().undo_bytes, 0u);
  EXPECT_EQ(tested.CompareNow(), "");
}

}  // namespace
}  // namespace rumcask
