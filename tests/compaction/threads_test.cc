// Compaction beside threads that write, read, iterate, and keep values.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/check/verify.h"
#include "core/compaction/compaction.h"
#include "core/damage.h"
#include "core/db.h"
#include "core/stats.h"
#include "keystores/by_name.h"

namespace rumcask {
namespace {

namespace fs = std::filesystem;

constexpr int kWriters = 2;
constexpr int kKeysPerWriter = 40;
// The others go on until so many segments were retired.
constexpr uint64_t kRetired = 300;

class ThreadsTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    std::string name = (fs::path(testing::TempDir()) / "compaction.XXXXXX").string();
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
    options.keystore->buffer_bytes = 8000;
    options.replay_bytes = 30000;
    options.create_if_missing = true;
    options.segment_bytes = 16384;
    auto db = DB::Open((directory_ / "db").string(), options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  static std::string Key(int writer, int i) { return absl::StrCat("w", writer, "k", i); }
  // Tells which key it belongs to.
  static std::string Value(const std::string& key, uint64_t n, uint64_t length) {
    return absl::StrCat(key, "=", n, ";", std::string(length, static_cast<char>('a' + n % 26)));
  }
  static bool Belongs(std::string_view key, std::string_view value) {
    return absl::StartsWith(absl::string_view(value.data(), value.size()),
                            absl::StrCat(std::string(key), "="));
  }
  bool going() const { return !done_.load(std::memory_order_relaxed); }

  // Knows what its keys have, as nobody else writes them.
  void Write(int writer) {
    std::mt19937_64 random(static_cast<uint64_t>(writer));
    std::map<std::string, std::string> mine;
    for (uint64_t n = 0; going(); ++n) {
      const std::string key = Key(writer, static_cast<int>(random() % kKeysPerWriter));
      std::string found;
      uint64_t version = 0;
      const absl::Status status = db_->Get(key, &found, {}, &version);
      const auto known = mine.find(key);
      if (known == mine.end()) {
        ASSERT_TRUE(absl::IsNotFound(status)) << key << ": " << status;
      } else {
        ASSERT_TRUE(status.ok()) << key << ": " << status;
        ASSERT_EQ(found, known->second);
      }
      const std::string value = Value(key, n, random() % 400);
      const uint64_t kind = random() % 10;
      if (kind < 2) {
        ASSERT_TRUE(db_->Delete(key).ok());
        mine.erase(key);
        continue;
      }
      absl::Status written;
      if (kind < 5) {
        // Its condition holds, as only this thread changes the key.
        written =
            db_->CompareAndPut(key, value, known == mine.end() ? 0 : version, {/*sync=*/kind == 4});
      } else {
        written = db_->Put(key, value);
      }
      ASSERT_TRUE(written.ok()) << written;
      mine[key] = value;
    }
    final_[static_cast<size_t>(writer)] = std::move(mine);
  }

  void Read() {
    std::mt19937_64 random(77);
    std::vector<std::pair<std::string, PinnedValue>> kept;
    while (going()) {
      const std::string key =
          Key(static_cast<int>(random() % kWriters), static_cast<int>(random() % kKeysPerWriter));
      PinnedValue value;
      const absl::Status status = db_->Get(key, &value);
      ASSERT_TRUE(status.ok() || absl::IsNotFound(status)) << status;
      if (!status.ok()) continue;
      ASSERT_TRUE(Belongs(key, value.value()));
      if (random() % 50 == 0) kept.emplace_back(key, std::move(value));
      if (kept.size() > 3) kept.erase(kept.begin());
      for (const auto& [name, old] : kept) ASSERT_TRUE(Belongs(name, old.value()));
      std::vector<std::string_view> keys = {key, "w0k1", "w1k2", "nobody's"};
      std::vector<std::string> values;
      std::vector<absl::Status> statuses;
      db_->MultiGet(keys, &values, &statuses);
      for (size_t i = 0; i < keys.size(); ++i) {
        ASSERT_TRUE(statuses[i].ok() || absl::IsNotFound(statuses[i])) << statuses[i];
        ASSERT_TRUE(!statuses[i].ok() || Belongs(keys[i], values[i]));
      }
    }
  }

  void Iterate() {
    std::mt19937_64 random(78);
    while (going()) {
      auto it = db_->NewIterator();
      ASSERT_TRUE(it.ok()) << it.status();
      std::map<std::string, int> seen;
      for (; (*it)->Valid(); (*it)->Next()) {
        ASSERT_TRUE(Belongs((*it)->key(), (*it)->value()));
        ASSERT_EQ(++seen[std::string((*it)->key())], 1) << "twice";
        if (random() % 16 == 0) std::this_thread::yield();
      }
      ASSERT_TRUE((*it)->status().ok()) << (*it)->status();
    }
  }

  fs::path directory_;
  std::unique_ptr<DB> db_;
  std::atomic<bool> done_{false};
  std::map<std::string, std::string> final_[kWriters];
};

INSTANTIATE_TEST_SUITE_P(Keystores, ThreadsTest, testing::ValuesIn(KeystoreNames()),
                         [](const auto& param) { return param.param; });

TEST_P(ThreadsTest, NobodyNoticesThatRecordsMove) {
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([this, writer] { Write(writer); });
  }
  threads.emplace_back([this] { Read(); });
  threads.emplace_back([this] { Iterate(); });
  uint64_t retired = 0;
  uint64_t copied = 0;
  for (int round = 0; retired < kRetired; ++round) {
    CompactionReport report;
    const absl::Status status =
        round % 3 == 0 ? db_->CompactSome(20000, &report) : db_->CompactAll(&report);
    ASSERT_TRUE(status.ok()) << status;
    retired += report.retired_segments;
    copied += report.copied_records;
    if (report.retired_segments == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  done_.store(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(copied, 0u);

  std::map<std::string, std::string> expected;
  for (const auto& mine : final_) expected.insert(mine.begin(), mine.end());
  const auto check = [&] {
    std::map<std::string, std::string> found;
    auto it = db_->NewIterator();
    ASSERT_TRUE(it.ok());
    for (; (*it)->Valid(); (*it)->Next()) found.emplace((*it)->key(), (*it)->value());
    ASSERT_TRUE((*it)->status().ok()) << (*it)->status();
    EXPECT_EQ(found, expected);
    const auto report = db_->Verify();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->clean()) << DamageStatus(report->damages[0]);
  };
  check();
  ASSERT_TRUE(db_->Close().ok());
  db_.reset();
  Open();
  check();
  EXPECT_EQ(db_->GetStats().index_rebuilt, "");
}

// A close ends a running compaction; what it has done holds.
TEST_P(ThreadsTest, A34_CloseInTheMiddle) {
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 300; ++i) {
      ASSERT_TRUE(
          db_->Put(Key(0, i % 50), Value(Key(0, i % 50), static_cast<uint64_t>(i), 300)).ok());
    }
    std::thread compaction([this] {
      absl::Status status;
      while (status.ok()) status = db_->CompactAll();
      EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    });
    for (int i = 0; i < 30 * round; ++i) ASSERT_TRUE(db_->Put(Key(1, i), "w1").ok());
    ASSERT_TRUE(db_->Close().ok());
    compaction.join();
    db_.reset();
    Open();
    for (int i = 0; i < 50; ++i) {
      std::string value;
      ASSERT_TRUE(db_->Get(Key(0, i), &value).ok());
      ASSERT_TRUE(Belongs(Key(0, i), value));
    }
    const auto report = db_->Verify();
    ASSERT_TRUE(report.ok() && report->clean());
  }
}

}  // namespace
}  // namespace rumcask
