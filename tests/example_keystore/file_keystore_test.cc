// The example against the contract, and under a database.

#include "tests/example_keystore/file_keystore.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "rumcask/db.h"
#include "rumcask/disk_index_conformance.h"
#include "rumcask/stats.h"

namespace rumcask {
namespace {

INSTANTIATE_TEST_SUITE_P(File, DiskIndexConformance,
                         testing::Values(DiskIndexUnderTest(example::FileKeystore())));

class FileKeystoreTest : public testing::Test {
 protected:
  FileKeystoreTest() : path_(testing::TempDir() + "/file_keystore_test") {
    std::filesystem::remove_all(path_);
    options_.keystore = example::FileKeystore();
    options_.create_if_missing = true;
  }
  ~FileKeystoreTest() override { std::filesystem::remove_all(path_); }

  // Opens it, compares what is there with what was put, closes it; returns why the index was built
  // anew.
  std::string Reopen() {
    auto db = DB::Open(path_, options_);
    EXPECT_TRUE(db.ok()) << db.status();
    if (!db.ok()) return "";
    std::string value;
    for (int i = 0; i < 1000; ++i) {
      EXPECT_TRUE((*db)->Get("key" + std::to_string(i), &value).ok());
      EXPECT_EQ(value, std::to_string(i));
    }
    std::string rebuilt = (*db)->GetStats().index_rebuilt;
    EXPECT_TRUE((*db)->Close().ok());
    return rebuilt;
  }

  const std::string path_;
  Options options_;
};

TEST_F(FileKeystoreTest, ADatabaseKeepsItAndMakesItAnew) {
  {
    auto db = DB::Open(path_, options_);
    ASSERT_TRUE(db.ok()) << db.status();
    for (int i = 0; i < 1000; ++i) {
      ASSERT_TRUE((*db)->Put("key" + std::to_string(i), std::to_string(i)).ok());
    }
    ASSERT_TRUE((*db)->Close().ok());
  }
  EXPECT_EQ(Reopen(), "");
  std::filesystem::resize_file(path_ + "/index/file/index", 100);
  EXPECT_NE(Reopen().find("not an index, or damaged"), std::string::npos);
  EXPECT_EQ(Reopen(), "");
  std::filesystem::remove_all(path_ + "/index");
  EXPECT_NE(Reopen(), "");
  EXPECT_EQ(Reopen(), "");
}

}  // namespace
}  // namespace rumcask
