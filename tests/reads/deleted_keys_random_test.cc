// Ranges that scans have found empty must not hide keys that are put into them, nor keys that other
// snapshots see.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"

#include "core/snapshot.h"
#include "tests/reads/read_fixture.h"

namespace rumcask {
namespace {

std::string Key(uint64_t i) { return absl::StrFormat("key%06d", i); }

using Map = std::map<std::string, std::string>;

class DeletedKeysRandomTest : public testing::TestWithParam<std::tuple<std::string, int>>,
                              protected ReadFixture {
 protected:
  DeletedKeysRandomTest() : ReadFixture(std::get<0>(GetParam())) {
    options_.background_threads = std::get<1>(GetParam());
    options_.keystore->buffer_bytes = 100 << 10;
    Open();
  }
};

// Compares a few keys from a random place on, in either direction, with a model.
void Compare(DB* db, const std::shared_ptr<const Snapshot>& snapshot, const Map& map,
             std::mt19937_64* random) {
  IteratorOptions options;
  options.snapshot = snapshot;
  if ((*random)() % 3 == 0) options.lower = Key((*random)() % 6000);
  if ((*random)() % 3 == 0) options.upper = Key((*random)() % 6000);
  if ((*random)() % 4 == 0) options.prefix = Key((*random)() % 6000).substr(0, 7);
  std::vector<std::pair<std::string, std::string>> expected;
  for (const auto& [key, value] : map) {
    if (key < options.lower || (!options.upper.empty() && key >= options.upper)) continue;
    if (key.compare(0, options.prefix.size(), options.prefix) != 0) continue;
    expected.emplace_back(key, value);
  }
  auto made = db->NewIterator(options);
  ASSERT_TRUE(made.ok()) << made.status();
  Iterator* const it = made->get();
  const bool reverse = (*random)() % 2 == 0;
  size_t at = 0;
  const auto behind = [&](const std::string& target) {
    return static_cast<size_t>(
        std::lower_bound(expected.begin(), expected.end(), std::make_pair(target, std::string())) -
        expected.begin());
  };
  switch ((*random)() % 3) {
    case 0:
      break;
    case 1: {
      const std::string target = Key((*random)() % 6000);
      it->Seek(target);
      at = behind(target);
      break;
    }
    default:
      it->SeekToLast();
      at = expected.empty() ? 0 : expected.size() - 1;
  }
  const size_t steps = (*random)() % 4 == 0 ? 10000 : (*random)() % 40;
  for (size_t i = 0; i < steps; ++i) {
    ASSERT_TRUE(it->status().ok()) << it->status();
    ASSERT_EQ(it->Valid(), at < expected.size());
    if (!it->Valid()) break;
    ASSERT_EQ(it->key(), expected[at].first);
    ASSERT_EQ(it->value(), expected[at].second);
    if (reverse) {
      it->Prev();
      at = at == 0 ? expected.size() : at - 1;
    } else {
      it->Next();
      ++at;
    }
  }
}

class OrderedDeletedKeysRandomTest : public DeletedKeysRandomTest {};

TEST_P(OrderedDeletedKeysRandomTest, EveryWalkIsRight) {
  std::mt19937_64 random(3);
  Map now;
  std::vector<std::pair<std::shared_ptr<const Snapshot>, Map>> held;
  const auto put = [&](uint64_t i) {
    const std::string value = std::to_string(random() % 100000);
    ASSERT_TRUE(db_->Put(Key(i), value).ok());
    now[Key(i)] = value;
  };
  for (int round = 0; round < 250; ++round) {
    const uint64_t begin = random() % 6000;
    const uint64_t end = std::min<uint64_t>(6000, begin + random() % 2500);
    switch (random() % 6) {
      case 0:
      case 1:
      case 2:  // most of it is deleted
        for (uint64_t i = begin; i < end; ++i) {
          if (random() % 700 == 0) continue;
          ASSERT_TRUE(db_->Delete(Key(i)).ok());
          now.erase(Key(i));
        }
        break;
      case 3:
        for (uint64_t i = begin; i < end; ++i) put(i);
        break;
      default:
        for (int i = 0; i < 5; ++i) put(random() % 6000);
    }
    if (random() % 5 == 0) held.emplace_back(*db_->TakeSnapshot(), now);
    if (held.size() > 4) held.erase(held.begin() + static_cast<int>(random() % held.size()));
    for (int i = 0; i < 12; ++i) {
      Compare(db_.get(), nullptr, now, &random);
      if (!held.empty()) {
        const auto& [snapshot, map] = held[random() % held.size()];
        Compare(db_.get(), snapshot, map, &random);
      }
      if (HasFatalFailure()) return;
      // Puts a key into a range that was just found to be empty.
      if (i % 4 == 3) put(random() % 6000);
    }
  }
}

// Producers put keys before and after those that a consumer takes; some of the keys existed before.
// A key hidden by a range that is wrongly known to be empty would never be taken.
TEST_P(DeletedKeysRandomTest, NothingIsLostBesideProducers) {
  constexpr int kProducers = 2;
  constexpr uint64_t kItems = 8000;
  std::atomic<int> producing{kProducers};
  std::vector<std::thread> producers;
  for (uint64_t p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      std::mt19937_64 random(p);
      for (uint64_t i = 0; i < kItems; ++i) {
        // Most keys are put at the end and one in sixteen at any place, each key once.
        const uint64_t place = random() % 16 == 0 ? random() % (i + 1) : i;
        EXPECT_TRUE(db_->Put(Key(place) + "/" + std::to_string(p * kItems + i), "value").ok());
      }
      --producing;
    });
  }
  std::set<std::string> taken;
  bool last_round = false;
  while (true) {
    // Everything is read once more after the last key was put.
    const bool all_came = producing == 0;
    auto it = *db_->NewIterator();
    ASSERT_TRUE(it->status().ok()) << it->status();
    if (!it->Valid()) {
      if (all_came && last_round) break;
      last_round = all_came;
      continue;
    }
    last_round = false;
    // Takes one key or many, so that runs of different lengths are deleted.
    for (size_t n = taken.size() % 50 == 0 ? 300 : 1; n > 0 && it->Valid(); --n, it->Next()) {
      ASSERT_TRUE(taken.insert(std::string(it->key())).second) << it->key();
      ASSERT_TRUE(db_->Delete(it->key()).ok());
    }
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_EQ(taken.size(), kProducers * kItems);
}

std::string NameOf(const testing::TestParamInfo<DeletedKeysRandomTest::ParamType>& info) {
  return std::get<0>(info.param) + (std::get<1>(info.param) == 0 ? "WritersApply" : "InBackground");
}

INSTANTIATE_TEST_SUITE_P(All, DeletedKeysRandomTest,
                         testing::Combine(testing::ValuesIn(KeystoreNames()),
                                          testing::Values(0, 2)),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Ordered, OrderedDeletedKeysRandomTest,
                         testing::Combine(testing::ValuesIn(OrderedKeystores()),
                                          testing::Values(0, 2)),
                         NameOf);

}  // namespace
}  // namespace rumcask
