#include "keystores/rocksdb/open_rocksdb.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"

namespace rumcask {
namespace {

struct FakeOptions {
  bool fails = false;
};

// Has the functions of RocksDB's releases, with a bool in place of their Status.
struct OldDb {
  static bool Open(const FakeOptions& options, const std::string& /*path*/, OldDb** db) {
    if (!options.fails) *db = new OldDb{"plain"};
    return !options.fails;
  }
  static bool OpenForReadOnly(const FakeOptions& options, const std::string& path, OldDb** db,
                              bool /*error_if_wal_file_exists*/ = false) {
    return Open(options, path, db);
  }
  std::string opened_as;
};

struct NewDb {
  static bool Open(const FakeOptions& options, const std::string& /*path*/,
                   std::unique_ptr<NewDb>* db) {
    if (!options.fails) *db = std::make_unique<NewDb>(NewDb{"owner"});
    return !options.fails;
  }
  static bool OpenForReadOnly(const FakeOptions& options, const std::string& path,
                              std::unique_ptr<NewDb>* db,
                              bool /*error_if_wal_file_exists*/ = false) {
    return Open(options, path, db);
  }
  std::string opened_as;
};

struct DbOfBoth {
  static bool Open(const FakeOptions& /*options*/, const std::string& /*path*/, DbOfBoth** db) {
    *db = new DbOfBoth{"plain"};
    return true;
  }
  static bool Open(const FakeOptions& /*options*/, const std::string& /*path*/,
                   std::unique_ptr<DbOfBoth>* db) {
    *db = std::make_unique<DbOfBoth>(DbOfBoth{"owner"});
    return true;
  }
  std::string opened_as;
};

template <class Db>
class OpenRocksdbTest : public testing::Test {};

using EitherDb = testing::Types<OldDb, NewDb>;
TYPED_TEST_SUITE(OpenRocksdbTest, EitherDb);

TYPED_TEST(OpenRocksdbTest, HandsOutWhatWasOpened) {
  std::unique_ptr<TypeParam> db;
  EXPECT_TRUE(OpenRocksdb(FakeOptions(), "path", &db));
  EXPECT_NE(db, nullptr);
  std::unique_ptr<TypeParam> read_only;
  EXPECT_TRUE(OpenRocksdbForReadOnly(FakeOptions(), "path", &read_only));
  EXPECT_NE(read_only, nullptr);
}

TYPED_TEST(OpenRocksdbTest, HandsOutNothingIfThatFails) {
  std::unique_ptr<TypeParam> db;
  EXPECT_FALSE(OpenRocksdb(FakeOptions{true}, "path", &db));
  EXPECT_EQ(db, nullptr);
  EXPECT_FALSE(OpenRocksdbForReadOnly(FakeOptions{true}, "path", &db));
  EXPECT_EQ(db, nullptr);
}

TEST(OpenRocksdb, PrefersTheOwnerWhereThereAreBoth) {
  std::unique_ptr<DbOfBoth> db;
  EXPECT_TRUE(OpenRocksdb(FakeOptions(), "path", &db));
  ASSERT_NE(db, nullptr);
  EXPECT_EQ(db->opened_as, "owner");
}

}  // namespace
}  // namespace rumcask
