// Snapshots and iterators of a database: how long they live, whom they belong to, and what
// iterators of an unordered keystore refuse. On the real file system; ordered iterators are tested
// in tests/model.

#include "core/snapshot.h"

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "core/db.h"
#include "core/testing/map_keystore.h"

namespace rumcask {
namespace {

using Map = std::map<std::string, std::string>;

class SnapshotTest : public testing::TestWithParam<ReadMode> {
 protected:
  SnapshotTest() {
    static int count = 0;
    root_ = testing::TempDir() + "/snapshot_test." + std::to_string(::getpid()) + "." +
            std::to_string(count++);
    std::filesystem::create_directories(root_);
    db_ = Open("db");
  }
  ~SnapshotTest() override {
    db_.reset();
    std::filesystem::remove_all(root_);
  }

  std::unique_ptr<DB> Open(const std::string& name) {
    Options options;
    options.keystore = TestKeystore();
    options.create_if_missing = true;
    options.segment_bytes = 4096;
    options.read_mode = GetParam();
    auto db = DB::Open(root_ + "/" + name, options);
    EXPECT_TRUE(db.ok()) << db.status();
    return db.ok() ? *std::move(db) : nullptr;
  }

  // Keys 0 to 99 with values that end in `text`.
  Map Fill(const std::string& text) {
    Map map;
    for (int i = 0; i < 100; ++i) {
      const std::string key = "key" + std::to_string(i);
      map[key] = std::string(static_cast<size_t>(i) * 9, 'v') + text;
      EXPECT_TRUE(db_->Put(key, map[key]).ok());
    }
    return map;
  }

  static ReadOptions At(const std::shared_ptr<const Snapshot>& snapshot) {
    ReadOptions options;
    options.snapshot = snapshot.get();
    return options;
  }

  static Map Rest(Iterator* it) {
    Map map;
    for (; it->Valid(); it->Next()) {
      EXPECT_TRUE(map.emplace(std::string(it->key()), std::string(it->value())).second);
    }
    return map;
  }

  std::string root_;
  std::unique_ptr<DB> db_;
};

INSTANTIATE_TEST_SUITE_P(Modes, SnapshotTest, testing::Values(ReadMode::kMapped, ReadMode::kPread));

TEST_P(SnapshotTest, EveryReadAtASnapshotIsOfThatMoment) {
  WriteResult result;
  const Map then = Fill("then");
  ASSERT_TRUE(db_->Put("last", "1", {}, &result).ok());
  const std::shared_ptr<const Snapshot> snapshot = *db_->TakeSnapshot();
  EXPECT_EQ(snapshot->version(), result.version);
  Fill("now");
  ASSERT_TRUE(db_->Delete("last").ok());
  ASSERT_TRUE(db_->Put("new", "2").ok());

  EXPECT_EQ(*db_->Get("last", At(snapshot)), "1");
  EXPECT_TRUE(absl::IsNotFound(db_->Get("last").status()));
  EXPECT_TRUE(absl::IsNotFound(db_->Get("new", At(snapshot)).status()));
  PinnedValue pinned;
  ASSERT_TRUE(db_->Get("key50", &pinned, At(snapshot)).ok());
  EXPECT_EQ(pinned.value(), then.at("key50"));
  std::string value;
  uint64_t version = 0;
  ASSERT_TRUE(db_->Get("last", &value, At(snapshot), &version).ok());
  EXPECT_EQ(version, result.version);
  std::vector<std::string> values;
  std::vector<absl::Status> statuses;
  db_->MultiGet({"key7", "new", "", "last"}, &values, &statuses, At(snapshot));
  EXPECT_EQ(values[0], then.at("key7"));
  EXPECT_TRUE(absl::IsNotFound(statuses[1]));
  EXPECT_TRUE(absl::IsInvalidArgument(statuses[2]));
  EXPECT_EQ(values[3], "1");
}

TEST_P(SnapshotTest, ABatchIsSeenWholeOrNotAtAll) {
  const std::shared_ptr<const Snapshot> before = *db_->TakeSnapshot();
  EXPECT_EQ(before->version(), 0u);
  WriteBatch batch;
  for (int i = 0; i < 50; ++i) batch.Put("b" + std::to_string(i), "v");
  ASSERT_TRUE(db_->Write(batch).ok());
  const std::shared_ptr<const Snapshot> after = *db_->TakeSnapshot();
  for (int i = 0; i < 50; ++i) {
    const std::string key = "b" + std::to_string(i);
    EXPECT_TRUE(absl::IsNotFound(db_->Get(key, At(before)).status()));
    EXPECT_TRUE(db_->Get(key, At(after)).ok());
  }
}

TEST_P(SnapshotTest, SnapshotsAndIteratorsOutliveCloseAndTheDatabase) {
  const Map then = Fill("then");
  std::shared_ptr<const Snapshot> snapshot = *db_->TakeSnapshot();
  IteratorOptions options;
  options.snapshot = snapshot;
  std::vector<std::unique_ptr<Iterator>> iterators;
  for (int i = 0; i < 4; ++i) iterators.push_back(*db_->NewIterator(options));
  Fill("now");
  ASSERT_TRUE(iterators[1]->Valid());
  const std::string first(iterators[1]->key());
  iterators[1]->Next();

  EXPECT_EQ(Rest(iterators[0].get()), then);
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->Get("key1", At(snapshot)).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->TakeSnapshot().status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->NewIterator(options).status()));
  Map rest = then;
  rest.erase(first);
  EXPECT_EQ(Rest(iterators[1].get()), rest);
  db_.reset();
  // Let go of, and another opening has the directory.
  const uint64_t version = snapshot->version();
  options.snapshot.reset();
  snapshot.reset();
  db_ = Open("db");
  ASSERT_NE(db_, nullptr);
  Fill("later");
  EXPECT_EQ(Rest(iterators[2].get()), then);
  EXPECT_TRUE(iterators[2]->status().ok());
  EXPECT_GT(version, 0u);
  iterators.erase(iterators.begin());
  // The rest goes unread.
}

TEST_P(SnapshotTest, ASnapshotOfAnotherDatabaseIsRefused) {
  const auto other = Open("other");
  ASSERT_NE(other, nullptr);
  ASSERT_TRUE(db_->Put("k", "v").ok());
  ASSERT_TRUE(other->Put("k", "v").ok());
  const std::shared_ptr<const Snapshot> snapshot = *other->TakeSnapshot();
  EXPECT_TRUE(absl::IsInvalidArgument(db_->Get("k", At(snapshot)).status()));
  PinnedValue pinned;
  EXPECT_TRUE(absl::IsInvalidArgument(db_->Get("k", &pinned, At(snapshot))));
  std::vector<std::string> values;
  std::vector<absl::Status> statuses;
  db_->MultiGet({"k", "l"}, &values, &statuses, At(snapshot));
  ASSERT_EQ(statuses.size(), 2u);
  EXPECT_TRUE(absl::IsInvalidArgument(statuses[0]));
  EXPECT_TRUE(absl::IsInvalidArgument(statuses[1]));
  IteratorOptions options;
  options.snapshot = snapshot;
  EXPECT_TRUE(absl::IsInvalidArgument(db_->NewIterator(options).status()));
  EXPECT_TRUE(other->Get("k", At(snapshot)).ok());
  // An earlier opening of the same directory is another database too.
  const std::shared_ptr<const Snapshot> earlier = *db_->TakeSnapshot();
  db_.reset();
  db_ = Open("db");
  ASSERT_NE(db_, nullptr);
  EXPECT_TRUE(absl::IsInvalidArgument(db_->Get("k", At(earlier)).status()));
}

// What a fork leaves to a child: locks may be held by threads it does not have, and the files are
// its parent's.
TEST_P(SnapshotTest, AForkedChildsSnapshotsAndIteratorsTouchNothing) {
  const Map then = Fill("then");
  std::shared_ptr<const Snapshot> snapshot = *db_->TakeSnapshot();
  IteratorOptions options;
  options.snapshot = snapshot;
  std::unique_ptr<Iterator> it = *db_->NewIterator(options);
  std::unique_ptr<Iterator> unread = *db_->NewIterator();
  ASSERT_TRUE(it->Valid());
  const pid_t child = ::fork();
  if (child == 0) {
    bool good = absl::IsFailedPrecondition(db_->Get("key1", At(snapshot)).status());
    good = good && absl::IsFailedPrecondition(db_->TakeSnapshot().status());
    good = good && absl::IsFailedPrecondition(db_->NewIterator(options).status());
    it->Next();
    good = good && !it->Valid() && absl::IsFailedPrecondition(it->status());
    options.snapshot.reset();
    it.reset();
    unread.reset();
    snapshot.reset();
    db_.reset();
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  // The parent goes on where it was.
  Fill("now");
  EXPECT_EQ(Rest(it.get()), then);
  EXPECT_EQ(*db_->Get("key3", At(snapshot)), then.at("key3"));
}

TEST_P(SnapshotTest, AnUnorderedIteratorRefusesOrder) {
  Fill("v");
  IteratorOptions options;
  options.ordered = true;
  const absl::Status refused = db_->NewIterator(options).status();
  EXPECT_TRUE(absl::IsUnimplemented(refused)) << refused;
  EXPECT_FALSE(refused.message().empty());
  const std::vector<void (*)(Iterator*)> moves = {
      [](Iterator* it) { it->Seek("key5"); }, [](Iterator* it) { it->SeekToFirst(); },
      [](Iterator* it) { it->SeekToLast(); }, [](Iterator* it) { it->Prev(); }};
  for (const auto& move : moves) {
    auto it = db_->NewIterator();
    ASSERT_TRUE(it.ok());
    ASSERT_TRUE((*it)->Valid());
    move(it->get());
    EXPECT_FALSE((*it)->Valid());
    EXPECT_TRUE(absl::IsUnimplemented((*it)->status())) << (*it)->status();
  }
}

TEST_P(SnapshotTest, AWalkOfKeysOnlyHasKeysAndVersions) {
  Fill("v");
  IteratorOptions options;
  options.keys_only = true;
  auto it = db_->NewIterator(options);
  ASSERT_TRUE(it.ok());
  int keys = 0;
  for (; (*it)->Valid(); (*it)->Next()) {
    ++keys;
    std::string value;
    uint64_t version = 0;
    ASSERT_TRUE(db_->Get((*it)->key(), &value, {}, &version).ok());
    EXPECT_EQ((*it)->version(), version);
    EXPECT_EQ((*it)->value(), "");
  }
  EXPECT_EQ(keys, 100);
}

TEST_P(SnapshotTest, DamageInsideAWalkIsSkippedAndTold) {
  const std::string marked = "a value to be found in the file";
  ASSERT_TRUE(db_->Put("damaged", marked).ok());
  const Map map = Fill("v");  // seals the segment, whose key table knows the key
  ASSERT_TRUE(db_->Close().ok());
  int damaged = 0;
  for (const auto& entry : std::filesystem::directory_iterator(root_ + "/db")) {
    if (entry.path().extension() != ".seg") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const size_t at = bytes.find(marked);
    if (at == std::string::npos) continue;
    ++damaged;
    file.clear();
    file.seekp(static_cast<std::streamoff>(at));
    file.put('X');
  }
  ASSERT_EQ(damaged, 1);
  db_ = Open("db");
  ASSERT_NE(db_, nullptr);
  auto it = db_->NewIterator();
  ASSERT_TRUE(it.ok());
  EXPECT_EQ(Rest(it->get()), map);
  EXPECT_TRUE(absl::IsDataLoss((*it)->status())) << (*it)->status();
  EXPECT_NE((*it)->status().message().find(".seg"), absl::string_view::npos);
  EXPECT_TRUE(absl::IsDataLoss(db_->Get("damaged").status()));
}

}  // namespace
}  // namespace rumcask
