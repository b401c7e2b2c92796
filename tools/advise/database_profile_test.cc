#include "tools/advise/database_profile.h"

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"

#include "core/db.h"
#include "core/options.h"
#include "core/system/file_system.h"
#include "core/system/memory_file_system.h"
#include "keystores/btree/btree_keystore.h"
#include "tools/advise/profile.h"

namespace rumcask::advise {
namespace {

class DatabaseProfileTest : public testing::Test {
 protected:
  DatabaseProfileTest() : file_system_(NewMemoryFileSystem()) {
    Options options;
    options.file_system = file_system_.get();
    // In the order of the keys, so that it is known which ones are in the sample.
    options.keystore = BtreeKeystore();
    options.create_if_missing = true;
    db_ = *DB::Open("/db", options);
  }

  const std::unique_ptr<FileSystem> file_system_;
  std::unique_ptr<DB> db_;
};

TEST_F(DatabaseProfileTest, KnowsTheLongestKeyThoughItIsNotInTheSample) {
  constexpr int kKeys = 6000;
  for (int i = 0; i < kKeys; ++i) {
    std::string key = absl::StrFormat("%08d", i);
    // Every second key is in the sample, beginning with the first.
    if (i == 1001) key.resize(600, 'x');
    ASSERT_TRUE(db_->Put(key, "twelve bytes").ok());
  }
  const absl::StatusOr<Profile> profile = ProfileOfDatabase(db_.get());
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->keys, kKeys);
  EXPECT_EQ(profile->key_bytes.size(), kKeys / 2);
  EXPECT_EQ(profile->EntryBytes(), 20);
  EXPECT_EQ(profile->LongestKey(), 600);
}

TEST_F(DatabaseProfileTest, NeedsKeys) {
  EXPECT_TRUE(absl::IsFailedPrecondition(ProfileOfDatabase(db_.get()).status()));
}

}  // namespace
}  // namespace rumcask::advise
