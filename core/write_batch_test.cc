#include "core/write_batch.h"

#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"

#include "core/db.h"
#include "core/stats.h"
#include "core/system/memory_file_system.h"
#include "core/testing/map_keystore.h"

namespace rumcask {
namespace {

TEST(WriteBatch, TellsWhatItHolds) {
  WriteBatch batch;
  EXPECT_TRUE(batch.empty());
  batch.Put("a", "1");
  batch.Require("b", 7);
  batch.Delete("c");
  batch.Put("d", "");
  batch.Require("a", 0);
  ASSERT_EQ(batch.count(), 3u);
  EXPECT_EQ(batch.operation(0).key, "a");
  EXPECT_EQ(batch.operation(0).value, "1");
  EXPECT_FALSE(batch.operation(0).is_delete);
  EXPECT_EQ(batch.operation(1).key, "c");
  EXPECT_EQ(batch.operation(1).value, "");
  EXPECT_TRUE(batch.operation(1).is_delete);
  EXPECT_EQ(batch.operation(2).key, "d");
  EXPECT_FALSE(batch.operation(2).is_delete);
  ASSERT_EQ(batch.requirement_count(), 2u);
  EXPECT_EQ(batch.requirement(0).key, "b");
  EXPECT_EQ(batch.requirement(0).version, 7u);
  EXPECT_EQ(batch.requirement(1).key, "a");
  EXPECT_EQ(batch.requirement(1).version, 0u);
  batch.Clear();
  EXPECT_TRUE(batch.empty());
  EXPECT_EQ(batch.requirement_count(), 0u);
  EXPECT_EQ(batch.encoded_bytes(), 0u);
}

TEST(WriteBatch, RequirementsTakeNothingInTheLog) {
  WriteBatch batch;
  batch.Put("key", "value");
  const uint64_t bytes = batch.encoded_bytes();
  batch.Require("other", 1);
  EXPECT_EQ(batch.encoded_bytes(), bytes);
  EXPECT_EQ(batch.count(), 1u);
}

class RequireTest : public testing::Test {
 protected:
  RequireTest() {
    Options options;
    options.keystore = TestKeystore();
    options.create_if_missing = true;
    options.file_system = files_.get();
    auto db = DB::Open("/db", options);
    EXPECT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  uint64_t Put(const std::string& key, const std::string& value) {
    WriteResult result;
    EXPECT_TRUE(db_->Put(key, value, {}, &result).ok());
    return result.version;
  }
  std::string Get(const std::string& key) {
    std::string value;
    const absl::Status status = db_->Get(key, &value);
    return status.ok() ? value : status.ToString();
  }

  const std::unique_ptr<FileSystem> files_ = NewMemoryFileSystem();
  std::unique_ptr<DB> db_;
};

TEST_F(RequireTest, WritesIfAllHold) {
  const uint64_t a = Put("a", "1");
  const uint64_t b = Put("b", "2");
  WriteBatch batch;
  batch.Put("c", "3");
  batch.Require("a", a);
  batch.Delete("a");
  batch.Require("b", b);
  batch.Require("c", 0);
  WriteResult result;
  const absl::Status status = db_->Write(batch, {}, &result);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(result.version, b + 2);
  EXPECT_EQ(Get("c"), "3");
  EXPECT_EQ(Get("a"), "NOT_FOUND: ");
}

TEST_F(RequireTest, NamesTheFirstThatDoesNotHold) {
  const uint64_t a = Put("a", "1");
  const uint64_t b = Put("b", "2");
  const uint64_t written = db_->GetStats().log_bytes;
  WriteBatch batch;
  batch.Put("c", "3");
  batch.Require("a", a);
  batch.Require("b", a);
  batch.Require("c", 1);
  WriteResult result;
  absl::Status status = db_->Write(batch, {}, &result);
  EXPECT_TRUE(absl::IsAborted(status)) << status;
  EXPECT_EQ(status.message(), "requirement 2 of 3: key is at version 2, not 1");
  EXPECT_EQ(result.version, b);
  EXPECT_TRUE(result.existed);
  EXPECT_EQ(Get("c"), "NOT_FOUND: ");

  batch.Clear();
  batch.Delete("a");
  batch.Require("c", 1);
  status = db_->Write(batch, {}, &result);
  EXPECT_TRUE(absl::IsAborted(status)) << status;
  EXPECT_EQ(status.message(), "requirement 1 of 1: key is at version 0, not 1");
  EXPECT_EQ(result.version, 0u);
  EXPECT_FALSE(result.existed);
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(db_->GetStats().log_bytes, written);
}

// The batch's own operations come after all of its requirements.
TEST_F(RequireTest, DoesNotSeeTheBatchItself) {
  WriteBatch batch;
  batch.Put("a", "1");
  batch.Require("a", 0);
  ASSERT_TRUE(db_->Write(batch).ok());
  EXPECT_TRUE(absl::IsAborted(db_->Write(batch)));
}

// A deleted key is missing, and has no version that could be required.
TEST_F(RequireTest, ADeletedKeyIsMissing) {
  const uint64_t a = Put("a", "1");
  WriteResult deleted;
  ASSERT_TRUE(db_->Delete("a", {}, &deleted).ok());
  for (const uint64_t version : {a, deleted.version}) {
    WriteBatch batch;
    batch.Require("a", version);
    EXPECT_TRUE(absl::IsAborted(db_->Write(batch)));
  }
  WriteBatch batch;
  batch.Require("a", 0);
  EXPECT_TRUE(db_->Write(batch).ok());
}

TEST_F(RequireTest, MayBeAllThatABatchHas) {
  const uint64_t a = Put("a", "1");
  WriteBatch batch;
  batch.Require("a", a);
  WriteResult result = {99, true};
  WriteOptions sync;
  sync.sync = true;
  ASSERT_TRUE(db_->Write(batch, sync, &result).ok());
  EXPECT_EQ(result.version, 0u);
  EXPECT_FALSE(result.existed);
  EXPECT_EQ(db_->GetStats().durable_version, a);
}

// Also a refusal is told only once what it saw is durable.
TEST_F(RequireTest, ARefusalIsDurable) {
  const uint64_t a = Put("a", "1");
  WriteBatch batch;
  batch.Require("a", a + 1);
  batch.Put("b", "2");
  ASSERT_LT(db_->GetStats().durable_version, a);
  WriteOptions sync;
  sync.sync = true;
  EXPECT_TRUE(absl::IsAborted(db_->Write(batch, sync)));
  EXPECT_EQ(db_->GetStats().durable_version, a);
}

TEST_F(RequireTest, RefusesABadKey) {
  const std::string long_key(65536, 'k');
  for (const std::string& key : {std::string(), long_key}) {
    WriteBatch batch;
    batch.Put("a", "1");
    batch.Require(key, 0);
    EXPECT_TRUE(absl::IsInvalidArgument(db_->Write(batch)));
  }
  EXPECT_EQ(Get("a"), "NOT_FOUND: ");
}

}  // namespace
}  // namespace rumcask
