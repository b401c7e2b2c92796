// Iterators over ordered keystores: their moves, how they report damage and abandoned snapshots,
// and how long they live. Uses the real file system.

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "core/db.h"
#include "core/stats.h"
#include "keystores/btree/btree_keystore.h"
#include "tests/model/model_walk.h"

namespace rumcask {
namespace {

std::string KeyOf(int i) { return "key" + std::to_string(1000 + i); }

class OrderedIteratorTest : public testing::TestWithParam<ReadMode> {
 protected:
  OrderedIteratorTest() {
    static int count = 0;
    path_ = testing::TempDir() + "/ordered_iterator_test." + std::to_string(::getpid()) + "." +
            std::to_string(count++);
    options_.keystore = BtreeKeystore();
    options_.create_if_missing = true;
    options_.segment_bytes = 4096;
    options_.read_mode = GetParam();
    Open();
  }
  ~OrderedIteratorTest() override {
    db_.reset();
    std::filesystem::remove_all(path_);
  }

  void Open() {
    auto db = DB::Open(path_, options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }
  void Put(const std::string& key, const std::string& value) {
    WriteResult result;
    ASSERT_TRUE(db_->Put(key, value, {}, &result).ok());
    model_[key] = {value, result.version};
  }
  // Writes more keys than one block of an iterator holds.
  void Fill(const std::string& text) {
    for (int i = 0; i < 700; ++i) Put(KeyOf(i), text + std::string(40, 'v') + std::to_string(i));
  }
  std::unique_ptr<Iterator> Walk(const IteratorOptions& options = {}) {
    auto it = db_->NewIterator(options);
    EXPECT_TRUE(it.ok()) << it.status();
    return *std::move(it);
  }
  std::string CompareRest(std::unique_ptr<Iterator> it, const ModelMap& expected) {
    return ModelWalk(std::move(it), expected, /*ordered=*/true, /*keys_only=*/false).Finish();
  }

  // Changes a byte of each value in the files that begins with "damaged".
  void Damage() {
    const std::string wanted = "damaged";
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      if (entry.path().extension() != ".seg") continue;
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      file.clear();
      for (size_t at = bytes.find(wanted); at != std::string::npos;
           at = bytes.find(wanted, at + 1)) {
        file.seekp(static_cast<std::streamoff>(at));
        file.put('D');
      }
    }
  }
  // Writes keys of which every tenth, from 5 on, cannot be read. model_ holds the others.
  void FillDamaged() {
    for (int i = 0; i < 700; ++i) {
      if (i % 10 == 5) {
        ASSERT_TRUE(db_->Put(KeyOf(i), "damaged").ok());
      } else {
        Put(KeyOf(i), "whole " + std::to_string(i));
      }
    }
    // Seals the segment with the last of them, so that its key table lists the keys.
    for (int i = 0; i < 100; ++i) Put("x", std::string(100, 'x'));
    ASSERT_TRUE(db_->Close().ok());
    Damage();
    Open();
  }

  std::string path_;
  Options options_;
  std::unique_ptr<DB> db_;
  ModelMap model_;
};

INSTANTIATE_TEST_SUITE_P(Modes, OrderedIteratorTest,
                         testing::Values(ReadMode::kMapped, ReadMode::kPread));

TEST_P(OrderedIteratorTest, MovesBothWaysWithinItsBounds) {
  for (const std::string key : {"a", "b", "ba", "bb", "c", "\xff", "\xff\xff"}) Put(key, key);
  IteratorOptions options;
  options.ordered = true;
  options.lower = "b";
  options.upper = "c";
  auto it = Walk(options);
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "b");
  it->Prev();
  EXPECT_FALSE(it->Valid());
  it->SeekToLast();
  EXPECT_EQ(it->key(), "bb");
  it->Next();
  EXPECT_FALSE(it->Valid());
  it->Seek("a");
  EXPECT_EQ(it->key(), "b");
  it->Seek("b!");
  EXPECT_EQ(it->key(), "ba");
  it->Prev();
  EXPECT_EQ(it->key(), "b");
  it->Next();
  EXPECT_EQ(it->key(), "ba");
  it->Seek("c");
  EXPECT_FALSE(it->Valid());
  it->SeekToFirst();
  EXPECT_EQ(it->key(), "b");
  EXPECT_TRUE(it->status().ok());

  options = IteratorOptions();
  options.prefix = "\xff";
  it = Walk(options);
  EXPECT_EQ(it->key(), "\xff");
  it->SeekToLast();
  EXPECT_EQ(it->key(), "\xff\xff");
  options.prefix = "b";
  options.lower = "ba";
  it = Walk(options);
  EXPECT_EQ(it->key(), "ba");
  it->SeekToLast();
  EXPECT_EQ(it->key(), "bb");
  options.upper = "ba";
  EXPECT_FALSE(Walk(options)->Valid());
}

TEST_P(OrderedIteratorTest, SnapshotsAndIteratorsOutliveCloseAndTheDatabase) {
  Fill("then");
  const ModelMap then = model_;
  IteratorOptions options;
  options.snapshot = *db_->TakeSnapshot();
  std::vector<std::unique_ptr<Iterator>> iterators;
  for (int i = 0; i < 3; ++i) iterators.push_back(Walk(options));
  Fill("now");
  EXPECT_EQ(CompareRest(std::move(iterators[0]), then), "");
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_EQ(CompareRest(std::move(iterators[1]), then), "");
  db_.reset();
  options.snapshot.reset();
  Open();
  Fill("later");
  EXPECT_EQ(CompareRest(std::move(iterators[2]), then), "");
}

TEST_P(OrderedIteratorTest, AForkedChildsSnapshotsAndIteratorsTouchNothing) {
  Fill("then");
  const ModelMap then = model_;
  auto snapshot = *db_->TakeSnapshot();
  IteratorOptions options;
  options.snapshot = snapshot;
  std::vector<std::unique_ptr<Iterator>> iterators;
  for (int i = 0; i < 6; ++i) iterators.push_back(Walk(options));
  const pid_t child = ::fork();
  if (child == 0) {
    // Covers each kind of move, also one within the current block.
    iterators[0]->Next();
    iterators[1]->Prev();
    iterators[2]->Seek(KeyOf(3));
    iterators[3]->SeekToLast();
    iterators[4]->SeekToFirst();
    bool good = true;
    for (int i = 0; i < 5; ++i) {
      good = good && !iterators[static_cast<size_t>(i)]->Valid();
      good = good && absl::IsFailedPrecondition(iterators[static_cast<size_t>(i)]->status());
    }
    iterators.clear();
    options.snapshot.reset();
    snapshot.reset();
    db_.reset();
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  Fill("now");
  for (auto& it : iterators) EXPECT_EQ(CompareRest(std::move(it), then), "");
}

TEST_P(OrderedIteratorTest, DamageInsideAWalkIsSkippedAndTold) {
  FillDamaged();
  auto it = Walk();
  auto expected = model_.begin();
  for (; it->Valid(); it->Next(), ++expected) {
    ASSERT_NE(expected, model_.end());
    ASSERT_EQ(it->key(), expected->first);
    ASSERT_EQ(it->value(), expected->second.value);
  }
  EXPECT_EQ(expected, model_.end());
  EXPECT_TRUE(absl::IsDataLoss(it->status())) << it->status();

  it = Walk();
  auto before = model_.rbegin();
  for (it->SeekToLast(); it->Valid(); it->Prev(), ++before) {
    ASSERT_NE(before, model_.rend());
    ASSERT_EQ(it->key(), before->first);
  }
  EXPECT_EQ(before, model_.rend());
  EXPECT_TRUE(absl::IsDataLoss(it->status()));

  // An iterator can step around a damaged key in both directions.
  it = Walk();
  it->Seek(KeyOf(5));
  EXPECT_EQ(it->key(), KeyOf(6));
  it->Prev();
  EXPECT_EQ(it->key(), KeyOf(4));
  it->Next();
  EXPECT_EQ(it->key(), KeyOf(6));
}

TEST_P(OrderedIteratorTest, AWalkOfKeysOnlyReadsNothing) {
  FillDamaged();
  IteratorOptions options;
  options.keys_only = true;
  options.upper = "x";
  auto it = Walk(options);
  int keys = 0;
  for (; it->Valid(); it->Next(), ++keys) {
    ASSERT_EQ(it->key(), KeyOf(keys));
    ASSERT_EQ(it->value(), "");
    auto known = model_.find(KeyOf(keys));
    if (known != model_.end()) {
      ASSERT_EQ(it->version(), known->second.version);
    }
  }
  EXPECT_EQ(keys, 700);
  EXPECT_TRUE(it->status().ok()) << it->status();
}

TEST_P(OrderedIteratorTest, AWalkWhoseSnapshotIsGivenUpEndsAndSaysSo) {
  options_.max_undo_bytes = 10000;
  db_.reset();
  Open();
  FillDamaged();
  auto whole = Walk();
  auto damaged = Walk();
  damaged->Seek(KeyOf(5));
  EXPECT_TRUE(absl::IsDataLoss(damaged->status()));
  const auto snapshot = *db_->TakeSnapshot();
  Fill("now");
  ReadOptions at;
  at.snapshot = snapshot.get();
  EXPECT_TRUE(absl::IsResourceExhausted(db_->Get(KeyOf(1), at).status()));
  for (Iterator* it : {whole.get(), damaged.get()}) {
    // The iterator can still visit the rest of its current block.
    int keys = 0;
    for (; it->Valid(); it->Next()) ++keys;
    EXPECT_LT(keys, 600);
    EXPECT_TRUE(absl::IsResourceExhausted(it->status())) << it->status();
    it->SeekToLast();
    EXPECT_FALSE(it->Valid());
  }
  EXPECT_EQ(db_->GetStats().snapshots, 0u);
  EXPECT_EQ(CompareRest(Walk(), model_), "");
}

}  // namespace
}  // namespace rumcask
