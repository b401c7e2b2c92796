// Gives each test a database of its own, on any keystore.

#ifndef RUMCASK_TESTS_READS_READ_FIXTURE_H_
#define RUMCASK_TESTS_READS_READ_FIXTURE_H_

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "core/db.h"
#include "core/options.h"
#include "keystores/by_name.h"

namespace rumcask {

// The names of the ordered keystores.
inline std::vector<std::string> OrderedKeystores() {
  std::vector<std::string> names;
  for (const std::string& name : KeystoreNames()) {
    if (KeystoreByName(name)->traits.ordered) names.push_back(name);
  }
  return names;
}

class ReadFixture {
 protected:
  explicit ReadFixture(const std::string& keystore) {
    static int count = 0;
    root_ =
        testing::TempDir() + "/reads." + std::to_string(::getpid()) + "." + std::to_string(count++);
    std::filesystem::create_directories(root_);
    options_.keystore = *KeystoreByName(keystore);
    options_.create_if_missing = true;
  }
  ~ReadFixture() {
    db_.reset();
    std::filesystem::remove_all(root_);
  }

  // Opens a database with `options_`, after closing the one that was open.
  void Open() {
    db_.reset();
    auto db = DB::Open(root_ + "/db", options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  std::string root_;
  Options options_;
  std::unique_ptr<DB> db_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_READS_READ_FIXTURE_H_
