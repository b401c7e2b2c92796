// A long life: compaction retires many times more segments than there ever are at once, beside a
// writer, readers and iterators. What it took from the process for them it has given back, and so
// has it the files.
//
// RUMCASK_FULL=1 does it on every keystore, and no less often on one than on the others.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/check/verify.h"
#include "core/compaction/compaction.h"
#include "core/damage.h"
#include "core/db.h"
#include "core/format/format.h"
#include "core/format/limits.h"
#include "core/format/manifest.h"
#include "core/stats.h"
#include "core/store.h"
#include "core/system/file_system.h"
#include "keystores/by_name.h"
#include "tests/limits/open_files.h"

namespace rumcask {

struct DbTestPeer {
  static uint32_t HighestSlot(DB* db) {
    uint32_t highest = 0;
    for (const auto& segment : db->store_->log_.Segments()) {
      highest = std::max(highest, segment->slot());
    }
    return highest;
  }
};

namespace {

namespace fs = std::filesystem;

constexpr uint64_t kRetired = 10000;
// With an index on disk it takes longer.
constexpr uint64_t kRetiredOnDisk = 3000;
// What there is then, there is at the end.
constexpr uint64_t kRetiredAtFirst = 1000;
constexpr int kReaders = 2;
constexpr int kKeys = 300;
constexpr uint64_t kMostValueBytes = 500;
// Of descriptors and mappings: what the C library or a keystore may have got meanwhile.
constexpr size_t kFew = 16;
// How many more segments there may be for a moment than the thread that looks has seen.
constexpr size_t kUnseen = 64;

class RetirementsTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    // In memory where that is possible, as each segment is synced.
    const fs::path parent = fs::exists("/dev/shm") ? "/dev/shm" : testing::TempDir();
    std::string name = (parent / "retirements.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    Open();
  }
  void TearDown() override {
    db_.reset();
    fs::remove_all(directory_);
  }
  void Open() {
    Options options;
    options.keystore = *KeystoreByName(GetParam());
    options.keystore->buffer_bytes = 100000;
    options.replay_bytes = 400000;
    options.create_if_missing = true;
    options.segment_bytes = kMinSegmentBytes;
    auto db = DB::Open((directory_ / "db").string(), options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  static std::string Key(uint64_t i) { return absl::StrCat("key", i % kKeys); }
  // Tells which key it belongs to, and how new it is.
  static std::string Value(const std::string& key, uint64_t n, uint64_t length) {
    return absl::StrCat(key, "=", n, ";", std::string(length, static_cast<char>('a' + n % 26)));
  }
  static bool Belongs(const std::string& key, const std::string& value, uint64_t* n) {
    if (!absl::StartsWith(value, absl::StrCat(key, "="))) return false;
    *n = std::strtoull(value.c_str() + key.size() + 1, nullptr, 10);
    return true;
  }
  bool going() const { return !done_.load(std::memory_order_relaxed) && !HasFailure(); }

  // Nobody else writes.
  void Write() {
    for (; going(); ++written_) {
      const std::string key = Key(random_());
      if (random_() % 5 == 0) {
        const absl::Status status = db_->Delete(key);
        ASSERT_TRUE(status.ok()) << status;
        expected_.erase(key);
        continue;
      }
      const std::string value = Value(key, written_, random_() % kMostValueBytes);
      const absl::Status status = db_->Put(key, value, {/*sync=*/random_() % 500 == 0});
      ASSERT_TRUE(status.ok()) << status;
      expected_[key] = value;
    }
  }

  void Read(uint64_t seed) {
    std::mt19937_64 random(seed);
    // The newest value that was seen.
    std::map<std::string, uint64_t> newest;
    std::string value;
    while (going()) {
      const std::string key = Key(random());
      const absl::Status status = db_->Get(key, &value);
      ASSERT_TRUE(status.ok() || absl::IsNotFound(status)) << key << ": " << status;
      if (!status.ok()) continue;
      uint64_t n = 0;
      ASSERT_TRUE(Belongs(key, value, &n)) << key << ": " << value;
      ASSERT_GE(n, newest[key]) << key;
      newest[key] = n;
    }
  }

  // Looks at snapshots, now and then, and twice at each. One that keeps too much is given up.
  void Iterate() {
    while (going()) {
      auto snapshot = db_->TakeSnapshot();
      ASSERT_TRUE(snapshot.ok()) << snapshot.status();
      std::map<std::string, std::string> first;
      std::map<std::string, std::string> second;
      bool whole = Walk(*snapshot, &first);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      whole = whole && Walk(*snapshot, &second);
      if (whole) {
        ASSERT_EQ(first, second);
        ++walks_;
      }
      snapshot->reset();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  bool Walk(const std::shared_ptr<const Snapshot>& snapshot,
            std::map<std::string, std::string>* found) {
    IteratorOptions options;
    options.snapshot = snapshot;
    auto it = db_->NewIterator(options);
    absl::Status status = it.status();
    if (status.ok()) {
      for (; (*it)->Valid(); (*it)->Next()) {
        const std::string key((*it)->key());
        uint64_t n = 0;
        EXPECT_TRUE(found->emplace(key, (*it)->value()).second) << key << " twice";
        EXPECT_TRUE(Belongs(key, (*found)[key], &n)) << key;
      }
      status = (*it)->status();
    }
    EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
    return status.ok();
  }

  // Everybody is at work until so many segments were retired.
  void LiveUntil(uint64_t retired) {
    done_.store(false);
    std::vector<std::thread> threads;
    threads.emplace_back([this] { Write(); });
    for (int i = 0; i < kReaders; ++i) threads.emplace_back([this, i] { Read(i); });
    threads.emplace_back([this] { Iterate(); });
    while (going()) {
      const Stats stats = db_->GetStats();
      most_segments_ = std::max(most_segments_, stats.segments.size());
      most_descriptors_ = std::max(most_descriptors_, SegmentDescriptors());
      most_mappings_ = std::max(most_mappings_, SegmentMappings());
      if (stats.compaction.retired_segments >= retired) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    done_.store(true);
    for (std::thread& thread : threads) thread.join();
    // Then comes to rest, as nobody needs what waits.
    ASSERT_TRUE(db_->Sync().ok());
    ASSERT_TRUE(db_->CompactAll().ok());
    EXPECT_EQ(db_->GetStats().waiting_bytes, 0u);
  }

  struct Taken {
    size_t descriptors = 0;
    size_t mappings = 0;
  };
  // What the process has open and mapped, but for files that only the keystore knows.
  static Taken Count() {
    Taken taken;
    for (const std::string& file : OpenFiles()) {
      taken.descriptors += !absl::StrContains(file, "/index/");
      EXPECT_FALSE(absl::EndsWith(file, ".seg (deleted)")) << file;
    }
    for (const std::string& mapping : Mappings()) {
      taken.mappings += !absl::StrContains(mapping, "/index/");
      EXPECT_FALSE(absl::EndsWith(mapping, ".seg (deleted)")) << mapping;
    }
    return taken;
  }

  // The files of segments; all others must be known.
  std::set<std::string> SegmentFiles() const {
    const std::set<std::string> known = {"LOCK", "MANIFEST", "RESERVE", "index"};
    std::set<std::string> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(directory_ / "db")) {
      const std::string name = entry.path().filename().string();
      if (absl::EndsWith(name, ".seg")) {
        files.insert(name);
      } else {
        EXPECT_EQ(known.count(name), 1u) << name;
      }
    }
    return files;
  }
  // Those that MANIFEST lists.
  std::set<std::string> ListedFiles() const {
    std::set<std::string> files;
    auto directory = PosixFileSystem()->OpenDirectory((directory_ / "db").string());
    EXPECT_TRUE(directory.ok()) << directory.status();
    const auto decoded = ReadManifest(directory->get());
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    for (const ManifestRange& range : decoded->manifest.live) {
      for (uint64_t id = range.first_id; id <= range.last_id; ++id) files.insert(SegmentName(id));
    }
    return files;
  }

  void ExpectEverything() {
    std::map<std::string, std::string> found;
    auto it = db_->NewIterator();
    ASSERT_TRUE(it.ok()) << it.status();
    for (; (*it)->Valid(); (*it)->Next()) found.emplace((*it)->key(), (*it)->value());
    ASSERT_TRUE((*it)->status().ok()) << (*it)->status();
    EXPECT_EQ(found, expected_);
    std::string value;
    for (int i = 0; i < kKeys; ++i) {
      const auto known = expected_.find(Key(i));
      const absl::Status status = db_->Get(Key(i), &value);
      if (known == expected_.end()) {
        EXPECT_TRUE(absl::IsNotFound(status)) << Key(i) << ": " << status;
      } else {
        EXPECT_TRUE(status.ok() && value == known->second) << Key(i) << ": " << status;
      }
    }
    const auto report = db_->Verify();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->clean()) << DamageStatus(report->damages[0]);
  }

  fs::path directory_;
  std::unique_ptr<DB> db_;
  std::atomic<bool> done_{false};
  // The writer's.
  std::mt19937_64 random_{1};
  uint64_t written_ = 0;
  std::map<std::string, std::string> expected_;
  std::atomic<uint64_t> walks_{0};
  size_t most_segments_ = 0;
  size_t most_descriptors_ = 0;
  size_t most_mappings_ = 0;
};

bool IsFull() { return std::getenv("RUMCASK_FULL") != nullptr; }

std::vector<std::string> Keystores() {
  if (IsFull()) return KeystoreNames();
  return {"hash", "lmdb"};
}

INSTANTIATE_TEST_SUITE_P(Keystores, RetirementsTest, testing::ValuesIn(Keystores()),
                         [](const auto& param) { return param.param; });

TEST_P(RetirementsTest, LeaveNothingBehind) {
  const uint64_t retired = IsFull() || GetParam() == "hash" ? kRetired : kRetiredOnDisk;
  LiveUntil(kRetiredAtFirst);
  const Taken at_first = Count();
  LiveUntil(retired);
  ASSERT_FALSE(HasFailure());
  const Taken at_last = Count();
  const Stats stats = db_->GetStats();
  std::printf(
      "%s: %llu retired, at most %zu segments, %zu descriptors and %zu mappings of them; "
      "in the process %zu and %zu at first, %zu and %zu at last; %llu walks\n",
      GetParam().c_str(), static_cast<unsigned long long>(stats.compaction.retired_segments),
      most_segments_, most_descriptors_, most_mappings_, at_first.descriptors, at_first.mappings,
      at_last.descriptors, at_last.mappings, static_cast<unsigned long long>(walks_.load()));
  EXPECT_GE(stats.compaction.retired_segments, retired);
  EXPECT_GT(walks_.load(), 0u);
  EXPECT_LE(at_last.descriptors, at_first.descriptors + kFew);
  EXPECT_LE(at_last.mappings, at_first.mappings + kFew);
  // Each is mapped at most once, and open only while it is written.
  EXPECT_LE(most_mappings_, most_segments_ + kUnseen);
  EXPECT_LE(most_descriptors_, kUnseen);
  // Slots are used again.
  EXPECT_LT(DbTestPeer::HighestSlot(db_.get()), most_segments_ + kUnseen);

  ExpectEverything();
  std::set<std::string> segments;
  for (const SegmentStats& segment : db_->GetStats().segments) {
    segments.insert(SegmentName(segment.id));
  }
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_EQ(SegmentFiles(), segments);
  EXPECT_EQ(ListedFiles(), segments);
  db_.reset();
  // And none of it is needed any longer.
  EXPECT_EQ(SegmentMappings(), 0u);
  EXPECT_EQ(SegmentDescriptors(), 0u);
  Open();
  EXPECT_EQ(db_->GetStats().index_rebuilt, "");
  ExpectEverything();
}

}  // namespace
}  // namespace rumcask
