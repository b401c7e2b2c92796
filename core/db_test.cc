// The contract of db.h on the real file system, with the simplest keystore.

#include "core/db.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#include "core/check/verify.h"
#include "core/damage.h"
#include "core/plugin/keystore.h"
#include "core/stats.h"
#include "core/testing/map_keystore.h"

namespace rumcask {
namespace {

struct Modes {
  AppendMode append;
  ReadMode read;
  int background_threads;
};

class DbTest : public testing::TestWithParam<Modes> {
 protected:
  DbTest() {
    static int count = 0;
    root_ = testing::TempDir() + "/db_test." + std::to_string(::getpid()) + "." +
            std::to_string(count++);
    std::filesystem::create_directories(root_);
    path_ = root_ + "/db";
    options_.keystore = TestKeystore();
    options_.create_if_missing = true;
    options_.segment_bytes = 4096;
    options_.append_mode = GetParam().append;
    options_.read_mode = GetParam().read;
    options_.background_threads = GetParam().background_threads;
  }
  ~DbTest() override {
    db_.reset();
    std::filesystem::remove_all(root_);
  }

  void Open() {
    db_.reset();
    auto db = DB::Open(path_, options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = std::move(*db);
  }
  absl::Status TryOpen() {
    db_.reset();
    auto db = DB::Open(path_, options_);
    if (db.ok()) db_ = std::move(*db);
    return db.status();
  }
  void Put(const std::string& key, const std::string& value) {
    const absl::Status status = db_->Put(key, value);
    ASSERT_TRUE(status.ok()) << status;
    model_[key] = value;
  }
  void Delete(const std::string& key) {
    ASSERT_TRUE(db_->Delete(key).ok());
    model_.erase(key);
  }
  void ExpectModel() {
    EXPECT_EQ(db_->KeyCount(), model_.size());
    for (const auto& [key, value] : model_) {
      auto got = db_->Get(key);
      ASSERT_TRUE(got.ok()) << key << ": " << got.status();
      EXPECT_EQ(*got, value) << key;
    }
    std::map<std::string, std::string> walked;
    auto it = db_->NewIterator();
    ASSERT_TRUE(it.ok());
    for (; (*it)->Valid(); (*it)->Next()) {
      EXPECT_TRUE(walked.emplace(std::string((*it)->key()), std::string((*it)->value())).second);
    }
    EXPECT_TRUE((*it)->status().ok()) << (*it)->status();
    EXPECT_EQ(walked, model_);
    auto report = db_->Verify();
    ASSERT_TRUE(report.ok()) << report.status();
    for (const Damage& damage : report->damages) ADD_FAILURE() << DamageStatus(damage);
  }
  std::vector<std::string> SegmentFiles() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      if (entry.path().extension() == ".seg") names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::string root_, path_;
  Options options_;
  std::unique_ptr<DB> db_;
  std::map<std::string, std::string> model_;
};

INSTANTIATE_TEST_SUITE_P(Modes, DbTest,
                         testing::Values(Modes{AppendMode::kMapped, ReadMode::kMapped, 1},
                                         Modes{AppendMode::kMapped, ReadMode::kPread, 0},
                                         Modes{AppendMode::kWrite, ReadMode::kMapped, 0},
                                         Modes{AppendMode::kWrite, ReadMode::kPread, 1}));

TEST_P(DbTest, WhatIsPutIsFoundAgainAlsoAfterReopening) {
  Open();
  for (int i = 0; i < 500; ++i) Put("key" + std::to_string(i), std::string(i % 300, 'a' + i % 26));
  for (int i = 0; i < 500; i += 3) Put("key" + std::to_string(i), "again" + std::to_string(i));
  for (int i = 0; i < 500; i += 7) Delete("key" + std::to_string(i));
  Put("empty", "");
  Put(std::string("\0\xff", 2), std::string("\0\n\xff", 3));
  ExpectModel();
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(db_->Close().ok());
    Open();
    ExpectModel();
    EXPECT_TRUE(db_->GetStats().recovery.was_clean);
    EXPECT_EQ(db_->GetStats().recovery.dropped_bytes, 0u);
    Put("round" + std::to_string(round), "x");
    ExpectModel();
  }
  EXPECT_GT(SegmentFiles().size(), 5u);
}

TEST_P(DbTest, AProcessThatDiesLosesNothingThatWasAcknowledged) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto db = DB::Open(path_, options_);
    for (int i = 0; i < 400; ++i) {
      if (!(*db)->Put("key" + std::to_string(i % 150), std::to_string(i)).ok()) ::_exit(1);
    }
    ::_exit(0);  // no destructor runs
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  for (int i = 0; i < 400; ++i) model_["key" + std::to_string(i % 150)] = std::to_string(i);
  Open();
  EXPECT_FALSE(db_->GetStats().recovery.was_clean);
  ExpectModel();
  Put("after", "crash");
  ExpectModel();
  Open();
  EXPECT_TRUE(db_->GetStats().recovery.was_clean);
  ExpectModel();
}

TEST_P(DbTest, ManyShortOpeningsLeaveFewSegments) {
  for (int i = 0; i < 60; ++i) {
    Open();
    Put("key" + std::to_string(i), "v");
  }
  Open();
  ExpectModel();
  EXPECT_LE(SegmentFiles().size(), 2u);
}

TEST_P(DbTest, ABatchIsAppliedInOrderWithAVersionForEachOperation) {
  Open();
  WriteBatch batch;
  batch.Put("a", "1");
  batch.Delete("a");
  batch.Put("a", "2");
  batch.Put("b", "3");
  batch.Delete("c");
  WriteResult result;
  ASSERT_TRUE(db_->Write(batch, {}, &result).ok());
  std::string value;
  uint64_t version = 0;
  ASSERT_TRUE(db_->Get("a", &value, {}, &version).ok());
  EXPECT_EQ(value, "2");
  EXPECT_EQ(version + 2, result.version);
  model_ = {{"a", "2"}, {"b", "3"}};
  ExpectModel();
  // Larger than a segment: gets one of its own.
  batch.Clear();
  for (int i = 0; i < 100; ++i) {
    batch.Put("k" + std::to_string(i), std::string(100, 'x'));
    model_["k" + std::to_string(i)] = std::string(100, 'x');
  }
  ASSERT_TRUE(db_->Write(batch).ok());
  ExpectModel();
  Open();
  ExpectModel();
}

TEST_P(DbTest, ALargeValueGetsASegmentOfItsOwn) {
  Open();
  Put("small", "1");
  Put("large", std::string(3 << 20, 'L'));
  Put("small2", "2");
  ExpectModel();
  Open();
  ExpectModel();
}

TEST_P(DbTest, ConditionalWritesSeeTheNewestVersion) {
  Open();
  WriteResult result;
  ASSERT_TRUE(db_->PutIfAbsent("k", "1", {}, &result).ok());
  EXPECT_FALSE(result.existed);
  const uint64_t first = result.version;
  EXPECT_TRUE(absl::IsAlreadyExists(db_->PutIfAbsent("k", "2", {}, &result)));
  EXPECT_TRUE(result.existed);
  EXPECT_EQ(result.version, first);
  EXPECT_TRUE(absl::IsAborted(db_->CompareAndPut("k", "3", first + 1)));
  EXPECT_TRUE(absl::IsAborted(db_->CompareAndPut("k", "3", 0)));
  ASSERT_TRUE(db_->CompareAndPut("k", "3", first, {}, &result).ok());
  EXPECT_GT(result.version, first);
  EXPECT_TRUE(absl::IsAborted(db_->CompareAndDelete("k", first)));
  ASSERT_TRUE(db_->CompareAndDelete("k", result.version).ok());
  EXPECT_TRUE(absl::IsNotFound(db_->Get("k").status()));
  ASSERT_TRUE(db_->CompareAndPut("k", "4", 0).ok());
  EXPECT_EQ(*db_->Get("k"), "4");
}

TEST_P(DbTest, DeletingAMissingKeyWritesNothing) {
  Open();
  Put("k", "v");
  const uint64_t before = db_->GetStats().log_bytes;
  WriteResult result;
  ASSERT_TRUE(db_->Delete("missing", {/*sync=*/true}, &result).ok());
  EXPECT_FALSE(result.existed);
  EXPECT_EQ(result.version, 0u);
  EXPECT_EQ(db_->GetStats().log_bytes, before);
  // But it waited until what it observed was durable.
  EXPECT_EQ(db_->GetStats().durable_version, db_->GetStats().last_version);
}

TEST_P(DbTest, ASyncedWriteIsDurableWhenItReturns) {
  Open();
  WriteResult result;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(db_->Put("k" + std::to_string(i), std::string(100, 'v'), {true}, &result).ok());
    EXPECT_GE(db_->GetStats().durable_version, result.version);
  }
}

TEST_P(DbTest, RefusesBadArgumentsBeforeAnyIo) {
  Open();
  EXPECT_TRUE(absl::IsInvalidArgument(db_->Put("", "v")));
  EXPECT_TRUE(absl::IsInvalidArgument(db_->Put(std::string(65536, 'k'), "v")));
  EXPECT_TRUE(db_->Put(std::string(65535, 'k'), "v").ok());
  EXPECT_TRUE(absl::IsInvalidArgument(db_->Get("").status()));
  options_.segment_bytes = 1;
  EXPECT_TRUE(absl::IsInvalidArgument(TryOpen()));
}

TEST_P(DbTest, AMissingKeyIsNotFoundWithoutAMessage) {
  Open();
  const absl::Status status = db_->Get("nothing").status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_TRUE(status.message().empty());
}

TEST_P(DbTest, OpeningSaysWhatIsWrong) {
  options_.create_if_missing = false;
  absl::Status status = TryOpen();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_NE(status.message().find(path_), absl::string_view::npos);
  EXPECT_FALSE(std::filesystem::exists(path_));

  std::filesystem::create_directory(path_);
  std::ofstream(path_ + "/letter.txt") << "dear";
  options_.create_if_missing = true;
  EXPECT_TRUE(absl::IsFailedPrecondition(TryOpen()));
  std::filesystem::remove(path_ + "/letter.txt");
  EXPECT_TRUE(TryOpen().ok());
  options_.error_if_exists = true;
  EXPECT_TRUE(absl::IsAlreadyExists(TryOpen()));
}

TEST_P(DbTest, InMemoryKeystoresTakeEachOthersPlace) {
  options_.keystore->traits.name = "hash";
  Open();
  ASSERT_TRUE(db_->Put("a", "1").ok());
  ASSERT_TRUE(db_->Close().ok());
  options_.keystore->traits.name = "btree";
  for (const bool reindex : {false, true}) {
    options_.reindex = reindex;
    Open();
    EXPECT_EQ(db_->GetStats().keystore, "btree");
    std::string value;
    EXPECT_TRUE(db_->Get("a", &value).ok());
    EXPECT_EQ(value, "1");
    ASSERT_TRUE(db_->Close().ok());
    EXPECT_EQ(DB::StoredKeystore(path_).value(), reindex ? "btree" : "hash");
  }
}

TEST_P(DbTest, ASecondOpenIsRefusedUnderAnySpelling) {
  Open();
  std::filesystem::create_directory_symlink(path_, root_ + "/link");
  for (const std::string& spelling :
       {path_, path_ + "/", root_ + "/./db", root_ + "/db/../db", root_ + "/link"}) {
    auto second = DB::Open(spelling, options_);
    EXPECT_TRUE(absl::IsUnavailable(second.status())) << spelling << second.status();
    EXPECT_TRUE(absl::IsUnavailable(DB::OpenReadOnly(spelling, options_).status()));
  }
  db_.reset();
  auto reader = DB::OpenReadOnly(path_, options_);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_TRUE(DB::OpenReadOnly(path_, options_).ok());
  EXPECT_TRUE(absl::IsUnavailable(TryOpen()));
  EXPECT_TRUE(absl::IsFailedPrecondition((*reader)->Put("a", "b")));
}

TEST_P(DbTest, AForkedChildTouchesNothing) {
  Open();
  Put("k", "v");
  const pid_t child = ::fork();
  if (child == 0) {
    bool good = absl::IsFailedPrecondition(db_->Put("k", "child"));
    good = good && absl::IsFailedPrecondition(db_->Get("k").status());
    good = good && absl::IsFailedPrecondition(db_->Sync());
    db_.reset();
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  Put("k2", "v2");
  EXPECT_TRUE(absl::IsUnavailable(DB::Open(path_, options_).status()));
  Open();
  ExpectModel();
}

TEST_P(DbTest, CallsAfterCloseAreRefusedAndPinnedValuesStay) {
  Open();
  const std::string large(10000, 'p');
  Put("k", large);
  PinnedValue pinned;
  ASSERT_TRUE(db_->Get("k", &pinned).ok());
  if (GetParam().read == ReadMode::kMapped) {
    EXPECT_TRUE(pinned.pinned());
    EXPECT_EQ(db_->GetStats().pins, 1u);
  }
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_TRUE(db_->Close().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->Put("k", "v")));
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->Get("k").status()));
  db_.reset();
  PinnedValue moved = std::move(pinned);
  EXPECT_EQ(moved.value(), large);
}

TEST_P(DbTest, MultiGetAnswersEachKeyOnItsOwn) {
  Open();
  for (int i = 0; i < 100; ++i) Put("k" + std::to_string(i), "v" + std::to_string(i));
  std::vector<std::string> names;
  for (int i = 0; i < 110; ++i) names.push_back("k" + std::to_string(i));
  names.push_back("");
  std::vector<std::string_view> keys(names.begin(), names.end());
  std::vector<std::string> values;
  std::vector<absl::Status> statuses;
  db_->MultiGet(keys, &values, &statuses);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(values[i], "v" + std::to_string(i));
  for (int i = 100; i < 110; ++i) EXPECT_TRUE(absl::IsNotFound(statuses[i]));
  EXPECT_TRUE(absl::IsInvalidArgument(statuses[110]));
}

// Takes all keys of one length for the same key, as a keystore of digests does with odds of 2^-108.
class CollidingKeystore : public MapKeystore {
 public:
  absl::Status Get(const PreparedKey& key, Location* location) const override {
    return MapKeystore::Get(PreparedKey(Alias(key)), location);
  }
  Location Set(const PreparedKey& key, Location location, uint64_t sequence) override {
    return MapKeystore::Set(PreparedKey(Alias(key)), location, sequence);
  }

 private:
  static std::string_view Alias(const PreparedKey& key) {
    static const std::string x(100, 'x');
    return std::string_view(x).substr(0, key.key.size());
  }
};

TEST_P(DbTest, ARecordOfAnotherKeyIsNeverReturned) {
  options_.keystore->create =
      [](const KeystoreConfig&) -> absl::StatusOr<std::unique_ptr<Keystore>> {
    return std::unique_ptr<Keystore>(new CollidingKeystore);
  };
  Open();
  ASSERT_TRUE(db_->Put("key1", "one").ok());
  ASSERT_TRUE(db_->Put("key2", "two").ok());
  EXPECT_EQ(*db_->Get("key2"), "two");
  EXPECT_TRUE(absl::IsDataLoss(db_->Get("key1").status()));
  PinnedValue pinned;
  EXPECT_TRUE(absl::IsDataLoss(db_->Get("key1", &pinned)));
  std::vector<std::string> values;
  std::vector<absl::Status> statuses;
  db_->MultiGet({"key1", "key2"}, &values, &statuses);
  EXPECT_TRUE(absl::IsDataLoss(statuses[0]));
  EXPECT_TRUE(statuses[1].ok());
  EXPECT_TRUE(absl::IsDataLoss(db_->PutIfAbsent("key1", "three")));
}

TEST_P(DbTest, LiveBytesAreExact) {
  Open();
  for (int i = 0; i < 300; ++i) Put("key" + std::to_string(i % 40), std::string(i, 'x'));
  for (int i = 0; i < 40; i += 2) Delete("key" + std::to_string(i));
  uint64_t expected = 0;
  for (const auto& [key, value] : model_) expected += (24 + key.size() + value.size() + 7) / 8 * 8;
  EXPECT_EQ(db_->GetStats().live_bytes, expected);
  Open();
  EXPECT_EQ(db_->GetStats().live_bytes, expected);
}

TEST_P(DbTest, ConcurrentWritersAndReadersAgree) {
  Open();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 300; ++i) {
        const std::string key = std::to_string(t) + "." + std::to_string(i);
        ASSERT_TRUE(db_->Put(key, key, {i % 50 == 0}).ok());
        ASSERT_EQ(*db_->Get(key), key);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < 4; ++t) {
    for (int i = 0; i < 300; ++i) {
      const std::string key = std::to_string(t) + "." + std::to_string(i);
      model_[key] = key;
    }
  }
  ExpectModel();
  Open();
  ExpectModel();
}

TEST_P(DbTest, FilesAreTheOwnersAlone) {
  Open();
  Put("k", "v");
  struct stat info;
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u) << entry.path();
  }
}

}  // namespace
}  // namespace rumcask
