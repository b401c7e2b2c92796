// What scans cost where keys were deleted. The cost is counted in steps, so that the bounds hold on
// any machine.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"

#include "core/snapshot.h"
#include "core/versions/scan_work.h"
#include "tests/reads/read_fixture.h"

namespace rumcask {
namespace {

constexpr uint64_t kTurns = 20000;
constexpr uint64_t kLive = 1000;
// Most steps of one scan of a few keys, whatever was deleted. They include what is fetched from
// each source beyond those keys, and deletes that no scan has noted yet, which are walked twice
// when they are noted.
constexpr uint64_t kMostSteps = 6000;
// The same on average over many scans.
constexpr uint64_t kMeanSteps = 400;

std::string Key(uint64_t i) { return absl::StrFormat("key%09d", i); }

enum class Buffers {
  kLarge,  // nothing in the test goes to the index
  kSmall,  // entries go to the index all the time
};

class DeletedKeysTest : public testing::TestWithParam<std::tuple<std::string, Buffers>>,
                        protected ReadFixture {
 protected:
  DeletedKeysTest() : ReadFixture(std::get<0>(GetParam())) {
    if (std::get<1>(GetParam()) == Buffers::kSmall) options_.keystore->buffer_bytes = 200 << 10;
    Open();
  }
  bool ordered() const { return options_.keystore->traits.ordered; }

  void Put(std::string_view key) { ASSERT_TRUE(db_->Put(key, "value").ok()); }
  void Delete(std::string_view key) { ASSERT_TRUE(db_->Delete(key).ok()); }
  void PutAll(uint64_t begin, uint64_t end) {
    for (uint64_t i = begin; i < end; ++i) Put(Key(i));
  }
  void DeleteAll(uint64_t begin, uint64_t end) {
    for (uint64_t i = begin; i < end; ++i) Delete(Key(i));
  }

  // Makes an iterator, calls `move` on it, and returns its key, or "" if it is at the end.
  template <typename Move>
  std::string KeyOf(IteratorOptions options, Move move) {
    options.keys_only = true;
    auto it = db_->NewIterator(options);
    EXPECT_TRUE(it.ok()) << it.status();
    move(it->get());
    EXPECT_TRUE((*it)->status().ok()) << (*it)->status();
    return (*it)->Valid() ? std::string((*it)->key()) : std::string();
  }
  std::string First(const IteratorOptions& options = {}) {
    return KeyOf(options, [](Iterator*) {});
  }
  std::string Last() {
    return KeyOf({}, [](Iterator* it) { it->SeekToLast(); });
  }

  // The number of steps that `body` takes.
  template <typename Body>
  static uint64_t Steps(Body body) {
    const uint64_t before = ThreadScanWork().steps;
    body();
    return ThreadScanWork().steps - before;
  }

  // Calls `turn` kTurns times, expects that it returns true, and checks its steps against the
  // bounds.
  template <typename Turn>
  static void TakeTurns(Turn turn) {
    uint64_t most = 0;
    uint64_t late = 0;
    constexpr uint64_t kLate = 2000;
    for (uint64_t i = 0; i < kTurns; ++i) {
      bool right = false;
      const uint64_t steps = Steps([&] { right = turn(i); });
      ASSERT_TRUE(right) << "turn " << i;
      most = std::max(most, steps);
      if (i >= kTurns - kLate) late += steps;
    }
    EXPECT_LE(most, kMostSteps);
    EXPECT_LE(late / kLate, kMeanSteps);
  }
};

class OrderedDeletedKeysTest : public DeletedKeysTest {};

TEST_P(DeletedKeysTest, AQueue) {
  PutAll(0, kLive);
  uint64_t live = kLive;
  TakeTurns([&](uint64_t i) {
    const std::string first = First();
    if (ordered() ? first != Key(i) : first.empty()) return false;
    Delete(first);
    Put(Key(live++));
    return true;
  });
}

// The iterator stays open while the queue moves on, as with a consumer who waits for more.
TEST_P(DeletedKeysTest, AQueueUnderItsIterator) {
  PutAll(0, kLive);
  uint64_t live = kLive;
  TakeTurns([&](uint64_t i) {
    IteratorOptions options;
    options.keys_only = true;
    auto it = *db_->NewIterator(options);
    const std::string first(it->key());
    Delete(first);
    Put(Key(live++));
    it->Next();
    return it->Valid() && (!ordered() || (first == Key(i) && it->key() == Key(i + 1)));
  });
}

TEST_P(OrderedDeletedKeysTest, AStack) {
  PutAll(1000000, 1000000 + kLive);
  TakeTurns([&](uint64_t i) {
    const std::string last = Last();
    if (last != Key(1000000 + kLive - 1 - i)) return false;
    Delete(last);
    Put(Key(1000000 - 1 - i));
    return true;
  });
}

TEST_P(OrderedDeletedKeysTest, AQueueBehindAPrefix) {
  for (uint64_t i = 0; i < 100; ++i) {
    Put("a" + Key(i));
    Put("z" + Key(i));
  }
  PutAll(0, kLive);
  IteratorOptions options;
  options.prefix = "key";
  TakeTurns([&](uint64_t i) {
    const std::string first = First(options);
    if (first != Key(i)) return false;
    Delete(first);
    Put(Key(kLive + i));
    return true;
  });
  // The last keys with the prefix are deleted, so that none is left.
  DeleteAll(kTurns, kTurns + kLive);
  EXPECT_EQ(First(options), "");
  EXPECT_LE(Steps([&] { EXPECT_EQ(First(options), ""); }), kMeanSteps);
  EXPECT_EQ(First(), "a" + Key(0));
  EXPECT_EQ(Last(), "z" + Key(99));
}

// Old snapshots see what was deleted, and newer ones must not walk through it.
TEST_P(DeletedKeysTest, AQueueBesideASnapshot) {
  PutAll(0, kLive);
  IteratorOptions old;
  old.snapshot = *db_->TakeSnapshot();
  std::set<std::string> seen_then;
  for (uint64_t i = 0; i < kLive; ++i) seen_then.insert(Key(i));
  uint64_t live = kLive;
  TakeTurns([&](uint64_t i) {
    const std::string first = First();
    if (ordered() ? first != Key(i) : first.empty()) return false;
    if (i % 1000 == 0) {
      // Without an order, a different key may come first.
      const std::string oldest = First(old);
      if (ordered() ? oldest != Key(0) : seen_then.count(oldest) == 0) return false;
    }
    Delete(first);
    Put(Key(live++));
    return true;
  });
  std::vector<std::string> seen;
  auto it = *db_->NewIterator(old);
  for (; it->Valid(); it->Next()) {
    seen.emplace_back(it->key());
    EXPECT_EQ(it->value(), "value");
  }
  EXPECT_TRUE(it->status().ok()) << it->status();
  if (!ordered()) std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, std::vector<std::string>(seen_then.begin(), seen_then.end()));
  ReadOptions then;
  then.snapshot = old.snapshot.get();
  for (const std::string& key : seen_then) EXPECT_EQ(db_->Get(key, then).value_or("none"), "value");
}

TEST_P(OrderedDeletedKeysTest, SeeksIntoADeletedRange) {
  PutAll(0, kTurns);
  DeleteAll(100, kTurns - 100);
  const auto forward = [&](uint64_t from) {
    return KeyOf({}, [&](Iterator* it) { it->Seek(Key(from)); });
  };
  const auto backward = [&] {
    return KeyOf({}, [](Iterator* it) {
      it->Seek(Key(kTurns - 100));
      it->Prev();
    });
  };
  ASSERT_EQ(forward(kTurns / 2), Key(kTurns - 100));
  ASSERT_EQ(backward(), Key(99));
  for (uint64_t i = 200; i < kTurns - 200; i += 500) {
    EXPECT_LE(Steps([&] { ASSERT_EQ(forward(i), Key(kTurns - 100)); }), kMostSteps) << i;
  }
  EXPECT_LE(Steps([&] { ASSERT_EQ(forward(kTurns / 2), Key(kTurns - 100)); }), kMeanSteps);
  EXPECT_LE(Steps([&] { ASSERT_EQ(backward(), Key(99)); }), kMeanSteps);
}

// Holds even for the first iterator, before any scan has noted an empty range.
TEST_P(DeletedKeysTest, AnEmptiedDatabase) {
  PutAll(0, 5 * kTurns);
  DeleteAll(0, 5 * kTurns);
  EXPECT_LE(Steps([&] { EXPECT_EQ(First(), ""); }), kMostSteps);
  if (!ordered()) return;
  EXPECT_LE(Steps([&] { EXPECT_EQ(Last(), ""); }), kMostSteps);
  PutAll(kTurns, kTurns + 10);
  EXPECT_LE(Steps([&] { EXPECT_EQ(First(), Key(kTurns)); }), kMostSteps);
  EXPECT_LE(Steps([&] { EXPECT_EQ(Last(), Key(kTurns + 9)); }), kMostSteps);
}

TEST_P(OrderedDeletedKeysTest, EmptiedFromTheEnd) {
  PutAll(0, kTurns);
  for (uint64_t i = kTurns; i > 0; --i) Delete(Key(i - 1));
  EXPECT_LE(Steps([&] { EXPECT_EQ(First(), ""); }), kMostSteps);
}

// The last deletes find the ranges that the others have emptied.
TEST_P(DeletedKeysTest, EmptiedInNoOrder) {
  PutAll(0, 3 * kTurns);
  for (uint64_t i = 0; i < 3 * kTurns; ++i) Delete(Key(i * 7919 % (3 * kTurns)));
  EXPECT_LE(Steps([&] { EXPECT_EQ(First(), ""); }), 2 * kMostSteps);
  EXPECT_LE(Steps([&] { EXPECT_EQ(First(), ""); }), kMeanSteps);
}

// No empty ranges are kept over an opening. But the opening leaves out deleted keys, so that not
// even the first iterator steps over them.
TEST_P(DeletedKeysTest, AnEmptiedDatabaseOpenedAgain) {
  PutAll(0, kTurns);
  DeleteAll(0, kTurns);
  Open();
  // RocksDB may have been closed before it compacted the last removals.
  const bool compacts = std::get<0>(GetParam()) == "rocksdb";
  EXPECT_LE(Steps([&] { EXPECT_EQ(First(), ""); }), compacts ? kTurns : kMeanSteps);
  EXPECT_LE(Steps([&] { EXPECT_EQ(First(), ""); }), kMeanSteps);
  Put(Key(kTurns / 2));
  EXPECT_LE(Steps([&] { EXPECT_EQ(First(), Key(kTurns / 2)); }), kMeanSteps);
}

// Keys that are newer than the snapshot lie before the keys that it sees.
TEST_P(OrderedDeletedKeysTest, KeysNewerThanTheSnapshot) {
  PutAll(kTurns, kTurns + 10);
  IteratorOptions old;
  old.snapshot = *db_->TakeSnapshot();
  PutAll(0, kTurns);
  ASSERT_EQ(First(old), Key(kTurns));
  EXPECT_LE(Steps([&] { ASSERT_EQ(First(old), Key(kTurns)); }), kMeanSteps);
  // Later snapshots see these keys all the same.
  EXPECT_EQ(First(), Key(0));
  DeleteAll(0, kTurns);
  EXPECT_LE(Steps([&] { ASSERT_EQ(First(old), Key(kTurns)); }), kMeanSteps);
}

// All past versions belong to another snapshot.
TEST_P(OrderedDeletedKeysTest, AShortScanBesidePastVersions) {
  PutAll(0, kTurns);
  IteratorOptions old;
  old.snapshot = *db_->TakeSnapshot();
  PutAll(0, kTurns);
  const auto walk = [&](bool reverse) {
    auto it = *db_->NewIterator();
    it->Seek(Key(kTurns / 2));
    for (int i = 0; i < 10; ++i) reverse ? it->Prev() : it->Next();
    ASSERT_TRUE(it->Valid());
    EXPECT_EQ(it->key(), Key(reverse ? kTurns / 2 - 10 : kTurns / 2 + 10));
  };
  EXPECT_LE(Steps([&] { walk(false); }), kMeanSteps);
  EXPECT_LE(Steps([&] { walk(true); }), kMeanSteps);
}

std::string NameOf(const testing::TestParamInfo<DeletedKeysTest::ParamType>& info) {
  return std::get<0>(info.param) +
         (std::get<1>(info.param) == Buffers::kLarge ? "LargeBuffers" : "SmallBuffers");
}

INSTANTIATE_TEST_SUITE_P(All, DeletedKeysTest,
                         testing::Combine(testing::ValuesIn(KeystoreNames()),
                                          testing::Values(Buffers::kLarge, Buffers::kSmall)),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Ordered, OrderedDeletedKeysTest,
                         testing::Combine(testing::ValuesIn(OrderedKeystores()),
                                          testing::Values(Buffers::kLarge, Buffers::kSmall)),
                         NameOf);

}  // namespace
}  // namespace rumcask
