// Loading the records of the log.

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/plugin/keystore.h"
#include "core/system/mutex.h"
#include "tests/conformance/keystore_conformance.h"
#include "tests/conformance/tested_keystore.h"
#include "tests/conformance/trying_keys.h"

namespace rumcask {
namespace {

// A log whose record i has number i + 1 and is at PlaceOf(i).
struct LoggedRecord {
  std::string key;
  bool is_delete = false;
};
using Log = std::vector<LoggedRecord>;

class Context : public LoadContext {
 public:
  bool IsNewer(const LoadEntry& a, Location b) const override {
    return RecordAt(a.location) > RecordAt(b);
  }
  void Superseded(Location location) override {
    MutexLock lock(mutex_);
    superseded_.insert(location.bits());
  }
  std::multiset<uint64_t> superseded() {
    MutexLock lock(mutex_);
    return superseded_;
  }

 private:
  Mutex mutex_;
  std::multiset<uint64_t> superseded_ ABSL_GUARDED_BY(mutex_);
};

// Loads in pieces of `piece` records, from memory that is overwritten after each call.
void LoadRecords(Keystore* keystore, const Log& log, const std::vector<size_t>& order, size_t piece,
                 LoadContext* context) {
  for (size_t begin = 0; begin < order.size(); begin += piece) {
    const size_t end = std::min(begin + piece, order.size());
    std::string bytes;
    for (size_t i = begin; i < end; ++i) bytes += log[order[i]].key;
    std::vector<LoadEntry> entries;
    size_t at = 0;
    for (size_t i = begin; i < end; ++i) {
      const LoggedRecord& record = log[order[i]];
      LoadEntry entry;
      entry.key = std::string_view(bytes).substr(at, record.key.size());
      entry.location = PlaceOf(order[i]);
      entry.sequence = order[i] + 1;
      entry.is_delete = record.is_delete;
      entries.push_back(entry);
      at += record.key.size();
    }
    keystore->Load(entries, context);
    std::fill(bytes.begin(), bytes.end(), '?');
  }
}

// The expected result of loading the log: the location of each key, and the locations of all puts
// that lost.
struct Outcome {
  explicit Outcome(const Log& log) {
    for (size_t i = 0; i < log.size(); ++i) {
      auto [it, inserted] = newest.try_emplace(log[i].key, i);
      if (!inserted) {
        if (!log[it->second].is_delete) superseded.insert(PlaceOf(it->second).bits());
        it->second = i;
      }
      deleted[log[i].key] = log[i].is_delete;
    }
  }
  uint64_t count() const {
    return static_cast<uint64_t>(
        std::count_if(deleted.begin(), deleted.end(), [](const auto& key) { return !key.second; }));
  }

  std::map<std::string, size_t> newest;
  std::map<std::string, bool> deleted;
  std::multiset<uint64_t> superseded;
};

std::string Compare(TestedKeystore* tested, const Outcome& outcome, Context* context) {
  Keystore& keystore = tested->keystore();
  for (const auto& [key, record] : outcome.newest) {
    Location got;
    const absl::Status status = keystore.Get(tested->Prepared(key), &got);
    if (outcome.deleted.at(key)) {
      if (!absl::IsNotFound(status)) return "a deleted key is there";
    } else if (!status.ok() || got != PlaceOf(record)) {
      return absl::StrCat("record ", record, ": ", status.ToString(), " ", got.bits());
    }
  }
  if (keystore.KeyCount() != outcome.count()) {
    return absl::StrCat("KeyCount is ", keystore.KeyCount(), ", not ", outcome.count());
  }
  return context->superseded() == outcome.superseded ? "" : "others were superseded";
}

std::vector<size_t> InOrder(const Log& log) {
  std::vector<size_t> order;
  for (size_t i = 0; i < log.size(); ++i) order.push_back(i);
  return order;
}

Log RandomLog(uint64_t seed, size_t records, const std::vector<std::string>& keys) {
  std::mt19937_64 random(seed);
  Log log;
  for (size_t i = 0; i < records; ++i) {
    log.push_back({keys[random() % keys.size()], random() % 3 == 0});
  }
  return log;
}

TEST_P(KeystoreConformance, LoadsRecordsInEveryOrder) {
  const Log log = {{"a", false}, {"b", false}, {"a", true}, {"c", false},
                   {"a", false}, {"b", true},  {"d", true}};
  const Outcome outcome(log);
  std::vector<size_t> order = InOrder(log);
  do {
    TestedKeystore tested(factory());
    Context context;
    LoadRecords(&tested.keystore(), log, order, 1 + order[0] % 3, &context);
    tested.keystore().FinishLoad();
    ASSERT_EQ(Compare(&tested, outcome, &context), "") << testing::PrintToString(order);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_P(KeystoreConformance, LoadsNothing) {
  TestedKeystore tested(factory());
  Context context;
  tested.keystore().Load({}, &context);
  tested.keystore().FinishLoad();
  EXPECT_EQ(tested.CompareNow(), "");
  EXPECT_EQ(tested.Put("k"), "");
  EXPECT_EQ(tested.CompareNow(), "");
}

TEST_P(KeystoreConformance, LoadsKeysOfEveryKind) {
  const std::vector<std::string> keys = TryingKeys(2000, traits().max_key_bytes);
  for (const uint64_t seed : {1, 2, 3, 4}) {
    const Log log = RandomLog(seed, 6000, keys);
    std::vector<size_t> order = InOrder(log);
    std::mt19937_64 random(seed);
    if (seed > 1) std::shuffle(order.begin(), order.end(), random);
    TestedKeystore tested(factory());
    Context context;
    LoadRecords(&tested.keystore(), log, order, seed * 100, &context);
    tested.keystore().FinishLoad();
    ASSERT_EQ(Compare(&tested, Outcome(log), &context), "") << "seed " << seed;
  }
}

TEST_P(KeystoreConformance, LoadsOnSeveralThreads) {
  const Log log =
      RandomLog(7, 40000, TryingKeys(5000, std::min<size_t>(traits().max_key_bytes, 99)));
  TestedKeystore tested(factory());
  Context context;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<size_t> order;
      for (size_t i = t; i < log.size(); i += 4) order.push_back(i);
      LoadRecords(&tested.keystore(), log, order, 500, &context);
    });
  }
  for (std::thread& thread : threads) thread.join();
  tested.keystore().FinishLoad();
  ASSERT_EQ(Compare(&tested, Outcome(log), &context), "");
}

// What was loaded behaves like what was applied: it can be replaced and removed, is yielded by
// walks, and is seen by snapshots.
TEST_P(KeystoreConformance, GoesOnFromWhatWasLoaded) {
  const std::vector<std::string> keys = TryingKeys(600, traits().max_key_bytes);
  const Log log = RandomLog(3, 1500, keys);
  TestedKeystore tested(factory());
  Keystore& keystore = tested.keystore();
  Context context;
  LoadRecords(&keystore, log, InOrder(log), 100, &context);
  keystore.FinishLoad();
  TestedKeystore::Held loaded;
  const Outcome outcome(log);
  for (const auto& [key, record] : outcome.newest) {
    if (!outcome.deleted.at(key)) loaded.map[key] = {PlaceOf(record), record + 1};
  }
  loaded.snapshot = keystore.TakeSnapshot(log.size());
  ASSERT_EQ(tested.CompareGetAt(loaded, keys), "");
  ASSERT_EQ(tested.CompareWalk(loaded), "");
  uint64_t sequence = log.size();
  for (size_t i = 0; i < keys.size(); ++i) {
    auto it = loaded.map.find(keys[i]);
    const Location expected = it == loaded.map.end() ? Location() : it->second.location;
    ++sequence;
    const Location to = i % 2 == 0 ? PlaceOf(sequence) : Location();
    ASSERT_EQ(keystore.Set(tested.Prepared(keys[i]), to, sequence), expected);
  }
  EXPECT_EQ(keystore.KeyCount(), (keys.size() + 1) / 2);
  ASSERT_EQ(tested.CompareGetAt(loaded, keys), "");
  ASSERT_EQ(tested.CompareWalk(loaded), "");
}

}  // namespace
}  // namespace rumcask
