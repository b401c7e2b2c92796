// Damage to the log beside an index on disk that lacks a part of it, and an index that cannot be
// used at all.

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "gtest/gtest.h"

#include "core/db.h"
#include "core/format/manifest.h"
#include "core/plugin/disk_index.h"
#include "core/stats.h"
#include "core/system/file_system.h"
#include "keystores/lmdb/lmdb_keystore.h"

namespace rumcask {
namespace {

namespace fs = std::filesystem;

constexpr int kKeys = 400;

class LaggingIndexTest : public testing::Test {
 protected:
  LaggingIndexTest() : path_(testing::TempDir() + "/lagging_index_test") {
    fs::remove_all(path_);
    options_.keystore = LmdbKeystore();
    options_.create_if_missing = true;
    options_.segment_bytes = 4096;
  }
  ~LaggingIndexTest() override { fs::remove_all(path_); }

  static std::string Key(int i) { return "key" + std::to_string(i); }

  // Puts keys [from, to), and then closes the database or leaves it open.
  bool Write(int from, int to, bool close) const {
    auto db = DB::Open(path_, options_);
    if (!db.ok()) return false;
    for (int i = from; i < to; ++i) {
      if (!(*db)->Put(Key(i), std::string(100, 'v')).ok()) return false;
    }
    if (close) return (*db)->Close().ok();
    const bool synced = (*db)->Sync().ok();
    // Never destroyed; the process ends soon.
    (void)db->release();
    return synced;
  }

  // Does the same in a separate process.
  void WriteAndEnd(int from, int to, bool close) const {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(Write(from, to, close) ? 0 : 1);
    int state = 0;
    ASSERT_EQ(::waitpid(child, &state, 0), child);
    ASSERT_EQ(state, 0);
  }

  const std::string path_;
  Options options_;
};

TEST_F(LaggingIndexTest, NothingIsMissedInSegmentsWithDamagedFooters) {
  // The index has the first keys only. The others are in later segments, which an opening has
  // listed as sealed; the process of that opening also ended before the keys reached the index.
  ASSERT_NO_FATAL_FAILURE(WriteAndEnd(0, kKeys / 4, /*close=*/true));
  ASSERT_NO_FATAL_FAILURE(WriteAndEnd(kKeys / 4, kKeys, /*close=*/false));
  ASSERT_NO_FATAL_FAILURE(WriteAndEnd(kKeys, kKeys, /*close=*/false));
  int segments = 0;
  for (const auto& entry : fs::directory_iterator(path_)) {
    if (entry.path().extension() != ".seg") continue;
    // Damages only the last bytes of the file, which belong to the footer if the segment is sealed.
    const auto size = fs::file_size(entry.path());
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(size) - 8);
    file.write("damaged!", 8);
    ++segments;
  }
  ASSERT_GT(segments, 5);
  auto db = DB::Open(path_, options_);
  ASSERT_TRUE(db.ok()) << db.status();
  const Stats stats = (*db)->GetStats();
  EXPECT_EQ(stats.index_rebuilt, "");
  EXPECT_GT(stats.recovery.damaged_footers, 5);
  std::string value;
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_TRUE((*db)->Get(Key(i), &value).ok()) << Key(i);
  }
  EXPECT_TRUE((*db)->Close().ok());
}

// MANIFEST may be hostile. The keystore's name in it must not lead to a place where files are
// removed.
TEST_F(LaggingIndexTest, ANameThatLeadsElsewhereRemovesNothingThere) {
  ASSERT_NO_FATAL_FAILURE(WriteAndEnd(0, kKeys, /*close=*/true));
  const std::string victim = path_ + ".victim";
  fs::create_directories(victim);
  std::ofstream(victim + "/thesis") << "mine";
  auto directory = PosixFileSystem()->OpenDirectory(path_);
  ASSERT_TRUE(directory.ok()) << directory.status();
  Manifest manifest = ReadManifest(directory->get())->manifest;
  manifest.keystore = "../../lagging_index_test.victim";
  ASSERT_TRUE(WriteManifest(directory->get(), manifest).ok());
  options_.reindex = true;
  auto db = DB::Open(path_, options_);
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_TRUE((*db)->Get(Key(0)).ok());
  EXPECT_TRUE(fs::exists(victim + "/thesis"));
  fs::remove_all(victim);
  options_.keystore->traits.name = "../elsewhere";
  EXPECT_TRUE(absl::IsInvalidArgument(DB::Open(path_, options_).status()));
}

// Some damaged pages make LMDB end the process. A single time may be chance, as the process may
// have been killed.
TEST_F(LaggingIndexTest, AnIndexThatEndsTheProcessIsGivenUpAfterTheSecondTime) {
  ASSERT_NO_FATAL_FAILURE(WriteAndEnd(0, kKeys, /*close=*/true));
  const KeystoreFactory sound = *options_.keystore;
  for (const int deaths : {1, 2}) {
    options_.keystore->open_index =
        [](const DiskIndexConfig&) -> absl::StatusOr<std::unique_ptr<DiskIndex>> { ::_exit(77); };
    for (int i = 0; i < deaths; ++i) {
      const pid_t child = ::fork();
      if (child == 0) ::_exit(DB::Open(path_, options_).ok() ? 0 : 1);
      int state = 0;
      ASSERT_EQ(::waitpid(child, &state, 0), child);
      ASSERT_TRUE(WIFEXITED(state) && WEXITSTATUS(state) == 77);
    }
    options_.keystore = sound;
    auto db = DB::Open(path_, options_);
    ASSERT_TRUE(db.ok()) << db.status();
    EXPECT_EQ((*db)->GetStats().index_rebuilt,
              deaths == 1 ? "" : "opening it has ended the process 2 times");
    std::string value;
    for (int i = 0; i < kKeys; ++i) ASSERT_TRUE((*db)->Get(Key(i), &value).ok()) << Key(i);
  }
}

}  // namespace
}  // namespace rumcask
