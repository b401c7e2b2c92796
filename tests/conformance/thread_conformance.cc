// Readers beside the one writer, and snapshots that end on any thread.

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/plugin/keystore.h"
#include "core/system/mutex.h"
#include "tests/conformance/keystore_conformance.h"
#include "tests/conformance/tested_keystore.h"

namespace rumcask {
namespace {

constexpr uint64_t kKeys = 300;

std::string KeyOf(uint64_t i) { return absl::StrCat("key", 1000 + i); }

// The writer works in rounds, each of which applies one record to each key in turn. For key i in
// round r, the record and its number are r * kKeys + i + 1, and it is a delete if (r + i) % 4 is 3.
// So the newest number applied determines the whole content.
uint64_t NumberOf(uint64_t round, uint64_t i) { return round * kKeys + i + 1; }
bool DeletesIn(uint64_t round, uint64_t i) { return (round + i) % 4 == 3; }

// The expected location of key i after number `sequence`.
Location ExpectedAt(uint64_t sequence, uint64_t i) {
  if (sequence < i + 1) return Location();
  const uint64_t round = (sequence - i - 1) / kKeys;
  return DeletesIn(round, i) ? Location() : PlaceOf(NumberOf(round, i));
}

// Hands snapshots from the writer to the readers.
class SnapshotQueue {
 public:
  void Push(std::shared_ptr<const KeystoreSnapshot> snapshot) {
    MutexLock lock(mutex_);
    if (snapshots_.size() < 20) snapshots_.push_back(std::move(snapshot));
  }
  std::shared_ptr<const KeystoreSnapshot> Pop(bool newest) {
    MutexLock lock(mutex_);
    if (snapshots_.empty()) return nullptr;
    std::shared_ptr<const KeystoreSnapshot> snapshot;
    if (newest) {
      snapshot = std::move(snapshots_.back());
      snapshots_.pop_back();
    } else {
      snapshot = std::move(snapshots_.front());
      snapshots_.pop_front();
    }
    return snapshot;
  }

 private:
  Mutex mutex_;
  std::deque<std::shared_ptr<const KeystoreSnapshot>> snapshots_ ABSL_GUARDED_BY(mutex_);
};

PreparedKey Prepared(const Keystore& keystore, std::string_view key) {
  PreparedKey prepared(key);
  keystore.Digest(&prepared);
  return prepared;
}

// "", or what is wrong, or "given up".
std::string CompareAt(const Keystore& keystore, bool ordered,
                      const std::shared_ptr<const KeystoreSnapshot>& snapshot) {
  uint64_t present = 0;
  const uint64_t sequence = snapshot->sequence();
  for (uint64_t i = 0; i < kKeys; ++i) {
    const std::string key = KeyOf(i);
    Location got;
    const absl::Status status = keystore.GetAt(*snapshot, Prepared(keystore, key), &got);
    if (absl::IsResourceExhausted(status)) return "given up";
    const Location expected = ExpectedAt(sequence, i);
    present += expected.exists();
    if (status.ok() != expected.exists() || (status.ok() && got != expected)) {
      return absl::StrCat(key, " at ", sequence, ": ", status.ToString());
    }
  }
  std::vector<Location> found;
  if (ordered) {
    std::vector<std::pair<std::string, TestedKeystore::Entry>> entries;
    const absl::Status status = ScanAll(keystore, *snapshot, sequence % 2 == 0, 37, &entries);
    if (absl::IsResourceExhausted(status)) return "given up";
    if (!status.ok()) return status.ToString();
    for (const auto& [key, entry] : entries) found.push_back(entry.location);
  } else {
    const absl::Status status = WalkAll(keystore, snapshot, &found);
    if (absl::IsResourceExhausted(status)) return "given up";
    if (!status.ok()) return status.ToString();
  }
  if (found.size() != present) {
    return absl::StrCat(found.size(), " keys at ", sequence, ", not ", present);
  }
  for (const Location location : found) {
    if (location != ExpectedAt(sequence, (RecordAt(location) - 1) % kKeys)) {
      return absl::StrCat("record ", RecordAt(location), " at ", sequence);
    }
  }
  return "";
}

struct Workers {
  ~Workers() {
    for (std::thread& thread : threads) thread.join();
  }
  std::vector<std::thread> threads;
};

// Runs the writer for `rounds` on this thread, beside three readers. Returns how many snapshots
// were compared, and how many of those had been given up.
std::pair<uint64_t, uint64_t> RunBeside(const KeystoreFactory& factory,
                                        const KeystoreConfig& config, uint64_t rounds) {
  const bool ordered = factory.traits.ordered;
  const std::unique_ptr<Keystore> keystore = *factory.create(config);
  SnapshotQueue queue;
  std::atomic<uint64_t> applied{0};  // the newest number for which Apply has returned
  std::atomic<bool> done{false};
  std::atomic<uint64_t> compared{0};
  std::atomic<uint64_t> given_up{0};
  {
    Workers readers;
    for (int t = 0; t < 3; ++t) {
      readers.threads.emplace_back([&, t] {
        for (uint64_t n = static_cast<uint64_t>(t); !done.load(); ++n) {
          // A change is visible once Apply has returned.
          const uint64_t i = n * 7 % kKeys;
          const std::string key = KeyOf(i);
          const PreparedKey prepared = Prepared(*keystore, key);
          keystore->Prefetch(prepared);
          const uint64_t from = applied.load();
          Location got;
          const absl::Status status = keystore->Get(prepared, &got);
          if (status.ok()) {
            // The result must not be older than the newest change that was complete before.
            const uint64_t round = from < i + 1 ? 0 : (from - i - 1) / kKeys;
            EXPECT_GE(RecordAt(got), NumberOf(round, i));
          } else {
            EXPECT_TRUE(absl::IsNotFound(status)) << status;
          }
          const SnapshotUsage usage = keystore->GetSnapshotUsage();
          EXPECT_LT(usage.undo_bytes, uint64_t{1} << 40);
          EXPECT_LE(usage.open, 30u);
          (void)keystore->KeyCount();
          (void)keystore->MemoryBytes();
          if (auto snapshot = queue.Pop(t == 0)) {
            const std::string difference = CompareAt(*keystore, ordered, snapshot);
            ++compared;
            if (difference == "given up") {
              ++given_up;
            } else {
              EXPECT_EQ(difference, "");
            }
          }
        }
      });
    }
    for (uint64_t round = 0; round < rounds; ++round) {
      for (uint64_t i = 0; i < kKeys; ++i) {
        const uint64_t number = NumberOf(round, i);
        const std::string key = KeyOf(i);
        const Location to = DeletesIn(round, i) ? Location() : PlaceOf(number);
        const Location before = keystore->Set(Prepared(*keystore, key), to, number);
        EXPECT_EQ(before, ExpectedAt(number - 1, i));
        applied.store(number);
        // Some snapshots are taken in the middle of a round, and some twice at the same number.
        if (number % 97 < 2) {
          queue.Push(keystore->TakeSnapshot(number));
          if (number % 3 == 0) queue.Push(keystore->TakeSnapshot(number));
        }
      }
    }
    done.store(true);
  }
  while (queue.Pop(true) != nullptr) {
  }
  keystore->FinishForgetting();
  EXPECT_EQ(keystore->GetSnapshotUsage().open, 0u);
  EXPECT_EQ(keystore->GetSnapshotUsage().undo_bytes, 0u);
  for (uint64_t i = 0; i < kKeys; ++i) {
    const std::string key = KeyOf(i);
    const Location expected = ExpectedAt(rounds * kKeys, i);
    Location got;
    const bool found = keystore->Get(Prepared(*keystore, key), &got).ok();
    EXPECT_EQ(found, expected.exists());
    if (found) {
      EXPECT_EQ(got, expected);
    }
  }
  return {compared.load(), given_up.load()};
}

TEST_P(KeystoreConformance, ReadersRunBesideTheWriter) {
  const auto [compared, given_up] = RunBeside(factory(), KeystoreConfig(), 400);
  EXPECT_GT(compared, 0u);
  EXPECT_EQ(given_up, 0u);
}

TEST_P(UndoBoundConformance, SnapshotsAreGivenUpBesideReaders) {
  for (const bool background : {false, true}) {
    const auto [compared, given_up] = RunBeside(factory(), {20000, background}, 400);
    EXPECT_GT(compared, 0u);
    EXPECT_LE(given_up, compared);
  }
}

// The only snapshot ends again and again, on another thread and in the midst of changes. Nothing
// may be kept for it afterwards.
TEST_P(KeystoreConformance, TheLastSnapshotEndsBesideTheWriter) {
  const std::unique_ptr<Keystore> keystore = *factory().create(KeystoreConfig());
  std::atomic<bool> done{false};
  std::atomic<uint64_t> begun{0};
  std::atomic<uint64_t> ended{0};
  std::shared_ptr<const KeystoreSnapshot> snapshot;  // handed over through `begun`
  {
    Workers releaser;
    releaser.threads.emplace_back([&] {
      for (uint64_t n = 1; !done.load();) {
        if (begun.load() < n) continue;
        snapshot.reset();
        ended.store(n++);
      }
    });
    uint64_t number = 0;
    for (uint64_t n = 1; n <= 20000; ++n) {
      snapshot = keystore->TakeSnapshot(number);
      begun.store(n);
      while (ended.load() < n) {
        const std::string key = KeyOf(number % kKeys);
        (void)keystore->Set(Prepared(*keystore, key), PlaceOf(number), number + 1);
        ++number;
      }
      // Both threads may have tried at once.
      keystore->FinishForgetting();
      const SnapshotUsage usage = keystore->GetSnapshotUsage();
      EXPECT_EQ(usage.open, 0u);
      EXPECT_EQ(usage.undo_bytes, 0u) << "round " << n;
      if (usage.undo_bytes != 0) break;
    }
    done.store(true);
  }
}

}  // namespace
}  // namespace rumcask
