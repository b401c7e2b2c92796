#include "keystores/hash/hash_keystore.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/plugin/keystore.h"
#include "core/system/mutex.h"

namespace rumcask {
namespace {

std::unique_ptr<Keystore> NewKeystore() { return *HashKeystore().create(KeystoreConfig()); }

PreparedKey Prepared(const Keystore& keystore, std::string_view key) {
  PreparedKey prepared(key);
  keystore.Digest(&prepared);
  return prepared;
}

Location At(uint64_t n) { return Location::Make(0, (n + 1) * 64, 64); }

Location Find(const Keystore& keystore, std::string_view key) {
  Location location;
  const absl::Status status = keystore.Get(Prepared(keystore, key), &location);
  EXPECT_EQ(status.message(), "");
  return status.ok() ? location : Location();
}

std::multiset<uint64_t> Walk(const Keystore& keystore,
                             std::shared_ptr<const KeystoreSnapshot> snapshot = nullptr) {
  std::multiset<uint64_t> found;
  std::vector<Location> locations;
  const std::unique_ptr<KeystoreCursor> cursor = keystore.NewCursor(std::move(snapshot));
  do {
    EXPECT_TRUE(cursor->Next(&locations).ok());
    for (const Location location : locations) found.insert(location.bits());
  } while (!locations.empty());
  return found;
}

// Orders locations by slot and offset, as the log does, and records which are superseded.
class Context : public LoadContext {
 public:
  bool IsNewer(const LoadEntry& a, Location b) const override {
    return a.location.bits() >> 15 > b.bits() >> 15;
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

TEST(HashKeystore, IsUnorderedAndInMemory) {
  const KeystoreTraits traits = HashKeystore().traits;
  EXPECT_EQ(traits.name, "hash");
  EXPECT_FALSE(traits.ordered);
  EXPECT_FALSE(traits.persistent);
  EXPECT_EQ(traits.max_key_bytes, 65535u);
}

TEST(HashKeystore, AgreesWithAMapUnderRandomOperations) {
  std::mt19937_64 random(17);
  const std::unique_ptr<Keystore> keystore = NewKeystore();
  std::map<std::string, Location> model;
  for (uint64_t step = 0; step < 300000; ++step) {
    const std::string key = absl::StrCat("key", random() % 20000);
    const PreparedKey prepared = Prepared(*keystore, key);
    const auto it = model.find(key);
    const Location before = it == model.end() ? Location() : it->second;
    ASSERT_EQ(Find(*keystore, key), before);
    switch (random() % 4) {
      case 0:
        ASSERT_EQ(keystore->Set(prepared, Location(), step), before);
        model.erase(key);
        break;
      case 1: {
        const bool matches = random() % 2 == 0;
        const Location from = matches ? before : At(step + 7);
        const bool expected = before.exists() && from == before;
        ASSERT_EQ(keystore->Relocate(prepared, from, At(step)), expected);
        if (expected) model[key] = At(step);
        break;
      }
      default:
        ASSERT_EQ(keystore->Set(prepared, At(step), step), before);
        model[key] = At(step);
    }
    ASSERT_EQ(keystore->KeyCount(), model.size());
  }
  std::multiset<uint64_t> expected;
  for (const auto& [key, location] : model) expected.insert(location.bits());
  EXPECT_EQ(Walk(*keystore), expected);
}

TEST(HashKeystore, KeepsEveryBitOfALocation) {
  const std::unique_ptr<Keystore> keystore = NewKeystore();
  const PreparedKey key = Prepared(*keystore, "k");
  for (const Location location :
       {Location::Make(0, 8, 8), Location::Make(Location::kMaxSlots - 1, Location::kMaxOffset, 8),
        Location::Make(1, 8, Location::kLongLength), Location::FromBits(0x0123456789abcdef),
        Location::FromBits(~uint64_t{0})}) {
    (void)keystore->Set(key, location, 1);
    EXPECT_EQ(Find(*keystore, "k"), location);
  }
}

TEST(HashKeystore, TellsApartKeysThatDifferInLengthOnly) {
  const std::unique_ptr<Keystore> keystore = NewKeystore();
  for (size_t n = 1; n < 100; ++n) {
    (void)keystore->Set(Prepared(*keystore, std::string(n, '\0')), At(n), n);
  }
  EXPECT_EQ(keystore->KeyCount(), 99u);
  for (size_t n = 1; n < 100; ++n) EXPECT_EQ(Find(*keystore, std::string(n, '\0')), At(n));
}

// Every order of the records of a few keys has the same result, and every put that lost is reported
// once.
TEST(HashKeystore, LoadsRecordsInAnyOrder) {
  struct Written {
    std::string key;
    bool is_delete;
  };
  const std::vector<Written> log = {{"a", false}, {"b", false}, {"a", true}, {"c", false},
                                    {"a", false}, {"b", true},  {"d", true}};
  std::vector<size_t> order;
  for (size_t i = 0; i < log.size(); ++i) order.push_back(i);
  do {
    const std::unique_ptr<Keystore> keystore = NewKeystore();
    Context context;
    for (const size_t i : order) {
      const LoadEntry entry{log[i].key, At(i), i, log[i].is_delete};
      keystore->Load({&entry, 1}, &context);
    }
    keystore->FinishLoad();
    ASSERT_EQ(Find(*keystore, "a"), At(4));
    ASSERT_EQ(Find(*keystore, "b"), Location());
    ASSERT_EQ(Find(*keystore, "c"), At(3));
    ASSERT_EQ(Find(*keystore, "d"), Location());
    ASSERT_EQ(keystore->KeyCount(), 2u);
    ASSERT_EQ(context.superseded(), (std::multiset<uint64_t>{At(0).bits(), At(1).bits()}));
    ASSERT_EQ(Walk(*keystore).size(), 2u);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(HashKeystore, LoadsOnSeveralThreads) {
  constexpr uint64_t kThreads = 4;
  constexpr uint64_t kRecords = 100000;
  constexpr uint64_t kKeys = 30000;
  std::vector<std::string> keys;
  for (uint64_t i = 0; i < kKeys; ++i) keys.push_back(absl::StrCat("key", i));
  const std::unique_ptr<Keystore> keystore = NewKeystore();
  Context context;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      // Record i belongs to key i modulo kKeys, and every seventh record is a delete.
      std::vector<LoadEntry> entries;
      for (uint64_t i = t; i < kRecords; i += kThreads) {
        entries.push_back({keys[i % kKeys], At(i), i, i % 7 == 0});
      }
      keystore->Load(entries, &context);
    });
  }
  for (std::thread& thread : threads) thread.join();
  keystore->FinishLoad();
  uint64_t present = 0;
  uint64_t puts = 0;
  for (uint64_t i = 0; i < kRecords; ++i) puts += i % 7 != 0;
  for (uint64_t k = 0; k < kKeys; ++k) {
    const uint64_t last = k + (kRecords - 1 - k) / kKeys * kKeys;
    const bool exists = last % 7 != 0;
    present += exists;
    ASSERT_EQ(Find(*keystore, keys[k]), exists ? At(last) : Location()) << k;
  }
  EXPECT_EQ(keystore->KeyCount(), present);
  // The last put of a deleted key is superseded, too.
  EXPECT_EQ(context.superseded().size(), puts - present);
}

TEST(HashKeystore, ReadersRunBesideTheWriter) {
  constexpr uint64_t kKeys = 2000;
  const std::unique_ptr<Keystore> keystore = NewKeystore();
  for (uint64_t i = 0; i < kKeys; ++i) {
    (void)keystore->Set(Prepared(*keystore, absl::StrCat("stays", i)), At(i), i + 1);
  }
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&, t] {
      std::mt19937_64 random(t);
      do {
        for (int n = 0; n < 100; ++n) {
          const uint64_t i = random() % kKeys;
          const std::string key = absl::StrCat("stays", i);
          keystore->Prefetch(Prepared(*keystore, key));
          ASSERT_EQ(Find(*keystore, key), At(i));
        }
        // Keys that stay are yielded exactly once, whether or not the tables grow.
        const std::multiset<uint64_t> walked = Walk(*keystore);
        for (uint64_t i = 0; i < kKeys; ++i) ASSERT_EQ(walked.count(At(i).bits()), 1u);
      } while (!done.load());
    });
  }
  for (uint64_t i = 0; i < 100000; ++i) {
    (void)keystore->Set(Prepared(*keystore, absl::StrCat("comes", i)), At(kKeys + i),
                        kKeys + 2 * i);
    if (i >= 50000) {
      (void)keystore->Set(Prepared(*keystore, absl::StrCat("comes", i - 50000)), Location(),
                          kKeys + 2 * i + 1);
    }
  }
  done.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(keystore->KeyCount(), kKeys + 50000);
}

// The budget of 36 bytes per key holds at every size, not only on average over sizes, because the
// shards grow at different times. The benchmark measures the same from outside, as resident memory.
TEST(HashKeystore, TakesAtMost36BytesAKeyAtEverySize) {
  const std::unique_ptr<Keystore> keystore = NewKeystore();
  const uint64_t empty = keystore->MemoryBytes();
  for (uint64_t n = 1; n <= 4000000; ++n) {
    (void)keystore->Set(Prepared(*keystore, absl::StrCat(n)), At(n), n);
    if (n >= 200000 && n % 50000 == 0) {
      ASSERT_LE(static_cast<double>(keystore->MemoryBytes() - empty) / static_cast<double>(n), 36)
          << n << " keys";
    }
  }
}

// First nine of ten keys are removed, then all; the tables shrink accordingly.
TEST(HashKeystore, GivesMemoryBackAfterDeletes) {
  constexpr uint64_t kKeys = 500000;
  const std::unique_ptr<Keystore> keystore = NewKeystore();
  const uint64_t empty = keystore->MemoryBytes();
  for (uint64_t n = 0; n < kKeys; ++n) {
    (void)keystore->Set(Prepared(*keystore, absl::StrCat(n)), At(n), n + 1);
  }
  EXPECT_GT(keystore->MemoryBytes() - empty, 20 * kKeys);
  const auto erase = [&](uint64_t n) {
    ASSERT_EQ(keystore->Set(Prepared(*keystore, absl::StrCat(n)), Location(), kKeys + n), At(n));
  };
  for (uint64_t n = 0; n < kKeys; ++n) {
    if (n % 10 != 0) erase(n);
  }
  EXPECT_LT(keystore->MemoryBytes() - empty, 100 * kKeys / 10);
  for (uint64_t n = 0; n < kKeys; n += 10) ASSERT_EQ(Find(*keystore, absl::StrCat(n)), At(n));
  for (uint64_t n = 0; n < kKeys; n += 10) erase(n);
  EXPECT_LE(keystore->MemoryBytes() - empty, 4096u * 64);
  EXPECT_EQ(keystore->KeyCount(), 0u);
  EXPECT_TRUE(Walk(*keystore).empty());
}

// Most of the log may belong to deleted keys.
TEST(HashKeystore, LoadingLeavesNoMemoryForDeletedKeys) {
  constexpr uint64_t kKeys = 200000;
  const std::unique_ptr<Keystore> keystore = NewKeystore();
  const uint64_t empty = keystore->MemoryBytes();
  Context context;
  for (uint64_t n = 0; n < kKeys; ++n) {
    const std::string key = absl::StrCat(n);
    const LoadEntry entry{key, At(n), n + 1, n % 100 != 0};
    keystore->Load({&entry, 1}, &context);
  }
  keystore->FinishLoad();
  EXPECT_EQ(keystore->KeyCount(), kKeys / 100);
  EXPECT_LE(keystore->MemoryBytes() - empty, 4096u * 64 + 100 * kKeys / 100);
}

}  // namespace
}  // namespace rumcask
