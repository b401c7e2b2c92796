// Ends a process at each file operation while it creates or reindexes a database. The next opening
// must succeed, and no files of an unused index may remain.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/db.h"
#include "core/format/limits.h"
#include "core/plugin/disk_index.h"
#include "core/testing/map_keystore.h"
#include "tests/crash_kit/fault_file_system.h"
#include "tests/example_keystore/file_keystore.h"
#include "tests/kill/scratch_directory.h"

namespace rumcask {
namespace {

constexpr int kKeys = 50;
constexpr int kKilled = 9;

// Ends the process at its `at`-th operation.
class Ticker {
 public:
  explicit Ticker(int at) : at_(at) {}
  void Tick() {
    if (++operations_ == at_) ::_exit(kKilled);
  }

 private:
  const int at_;
  int operations_ = 0;
};

// Returns a keystore: in memory for "hash", on disk for any other name.
KeystoreFactory Named(const std::string& name, Ticker* ticker = nullptr) {
  if (name == "hash") return TestKeystore();
  KeystoreFactory factory = example::FileKeystore();
  factory.traits.name = name;
  // The hook does not see the index's own file operations, so opening and removing an index count
  // as one operation before and one after.
  const KeystoreFactory inner = factory;
  if (ticker == nullptr) return factory;
  factory.open_index = [inner, ticker](const DiskIndexConfig& config) {
    ticker->Tick();
    auto index = inner.open_index(config);
    ticker->Tick();
    return index;
  };
  factory.remove_index = [inner, ticker](const std::string& path) {
    ticker->Tick();
    absl::Status status = inner.remove_index(path);
    ticker->Tick();
    return status;
  };
  return factory;
}

Options OptionsOf(KeystoreFactory keystore) {
  Options options;
  options.keystore = std::move(keystore);
  options.create_if_missing = true;
  options.background_threads = 0;
  options.segment_bytes = kMinSegmentBytes;
  return options;
}

std::set<std::string> NamesIn(const std::string& directory) {
  std::set<std::string> names;
  if (!std::filesystem::exists(directory)) return names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

class ReindexKillTest : public testing::Test {
 protected:
  // Opens `path` with the keystore in another process, reindexing if needed. The process ends at
  // the `operation`-th operation. Returns true if it completed all of them instead.
  static bool OpenAndEndAt(int operation, const std::string& path, const std::string& keystore) {
    const pid_t child = ::fork();
    if (child == 0) {
      Ticker ticker(operation);
      FaultFileSystem file_system(PosixFileSystem());
      file_system.SetHook([&ticker](const Call&) { ticker.Tick(); });
      Options options = OptionsOf(Named(keystore, &ticker));
      options.reindex = true;
      options.file_system = &file_system;
      auto db = DB::Open(path, options);
      ::_exit(db.ok() && (*db)->Close().ok() ? 0 : 1);
    }
    int how = -1;
    EXPECT_EQ(::waitpid(child, &how, 0), child);
    EXPECT_TRUE(WIFEXITED(how) && (WEXITSTATUS(how) == 0 || WEXITSTATUS(how) == kKilled)) << how;
    return WIFEXITED(how) && WEXITSTATUS(how) == 0;
  }

  // Opens the database with its stored keystore, or with `otherwise` if none is stored, and checks
  // it.
  static void Check(const std::string& path, int keys, const std::string& otherwise) {
    std::string name = DB::StoredKeystore(path).value_or("");
    if (name.empty()) name = otherwise;
    auto db = DB::Open(path, OptionsOf(Named(name)));
    ASSERT_TRUE(db.ok()) << db.status();
    for (int i = 0; i < keys; ++i) {
      ASSERT_EQ((*db)->Get(absl::StrCat("key", i)).value_or("none"), "value");
    }
    ASSERT_TRUE((*db)->Put("more", "value").ok());
    ASSERT_TRUE((*db)->Close().ok());
    const std::set<std::string> expected =
        name == "hash" ? std::set<std::string>() : std::set<std::string>{name};
    EXPECT_EQ(NamesIn(path + "/index"), expected) << "keystore " << name;
  }

  const ScratchDirectory scratch_;
};

TEST_F(ReindexKillTest, AReindexingThatEndsAnywhereLeavesNothing) {
  for (const auto& [from, to] :
       {std::pair("hash", "file"), std::pair("file", "hash"), std::pair("file", "other")}) {
    SCOPED_TRACE(absl::StrCat(from, " to ", to));
    const std::string original = scratch_.Path(absl::StrCat(from, ".", to));
    {
      auto db = DB::Open(original, OptionsOf(Named(from)));
      ASSERT_TRUE(db.ok()) << db.status();
      for (int i = 0; i < kKeys; ++i) {
        ASSERT_TRUE((*db)->Put(absl::StrCat("key", i), "value").ok());
      }
    }
    bool ended = false;
    int operation = 1;
    for (; !ended && !HasFailure(); ++operation) {
      SCOPED_TRACE(absl::StrCat("operation ", operation));
      const std::string path = scratch_.Path("db");
      std::filesystem::remove_all(path);
      std::filesystem::copy(original, path, std::filesystem::copy_options::recursive);
      ended = OpenAndEndAt(operation, path, to);
      if (ended) {
        EXPECT_EQ(*DB::StoredKeystore(path), to);
      }
      // Three ends in a row at the same operation must not make the next opening take the index for
      // one that crashes its opener.
      if (!ended && operation % 3 == 0) {
        OpenAndEndAt(operation, path, to);
        OpenAndEndAt(operation, path, to);
      }
      Check(path, kKeys, to);
    }
    EXPECT_GT(operation, 20);
  }
}

TEST_F(ReindexKillTest, ADatabaseWhoseMakingEndsAnywhereIsForEveryKeystore) {
  for (const std::string made_with : {"hash", "file"}) {
    for (const std::string opened_with : {"hash", "other"}) {
      SCOPED_TRACE(absl::StrCat(made_with, ", then ", opened_with));
      bool ended = false;
      for (int operation = 1; !ended && !HasFailure(); ++operation) {
        SCOPED_TRACE(absl::StrCat("operation ", operation));
        const std::string path = scratch_.Path("db");
        std::filesystem::remove_all(path);
        ended = OpenAndEndAt(operation, path, made_with);
        Check(path, 0, opened_with);
      }
    }
  }
}

}  // namespace
}  // namespace rumcask
