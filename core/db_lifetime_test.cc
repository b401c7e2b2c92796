// Who may touch a database and until when: read-only opens, Close beside other calls, forked
// processes, directories that belong to others. On the real file system.

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#include "core/db.h"
#include "core/listener.h"
#include "core/stats.h"
#include "core/testing/map_keystore.h"

namespace rumcask {
namespace {

class DbLifetimeTest : public testing::Test {
 protected:
  DbLifetimeTest() {
    static int count = 0;
    root_ = testing::TempDir() + "/db_lifetime_test." + std::to_string(::getpid()) + "." +
            std::to_string(count++);
    std::filesystem::create_directories(root_);
    path_ = root_ + "/db";
    options_.keystore = TestKeystore();
    options_.create_if_missing = true;
    options_.segment_bytes = 4096;
  }
  ~DbLifetimeTest() override { std::filesystem::remove_all(root_); }

  std::unique_ptr<DB> Open() {
    auto db = DB::Open(path_, options_);
    EXPECT_TRUE(db.ok()) << db.status();
    return db.ok() ? *std::move(db) : nullptr;
  }

  // A process that writes `puts` values and ends without closing.
  void WriteAndDie(int puts) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto db = DB::Open(path_, options_);
      bool good = db.ok();
      for (int i = 0; good && i < puts; ++i) {
        good = (*db)->Put("key" + std::to_string(i), std::string(200, 'v')).ok();
      }
      ::_exit(good ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_EQ(status, 0);
  }

  // Name to bytes, of everything in the directory.
  std::map<std::string, std::string> Files() {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      std::ifstream file(entry.path(), std::ios::binary);
      files[entry.path().filename()] = {std::istreambuf_iterator<char>(file), {}};
    }
    return files;
  }

  std::string root_, path_;
  Options options_;
};

TEST_F(DbLifetimeTest, AReadOnlyOpenNeverWrites) {
  // Not closed, nothing synced: a writer's Sync would have much to do.
  WriteAndDie(60);
  const auto files = Files();
  auto reader = DB::OpenReadOnly(path_, options_);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->KeyCount(), 60u);
  EXPECT_TRUE(absl::IsFailedPrecondition((*reader)->Sync()));
  EXPECT_TRUE(absl::IsFailedPrecondition((*reader)->Write(WriteBatch(), {/*sync=*/true})));
  EXPECT_TRUE(absl::IsFailedPrecondition((*reader)->Write(WriteBatch())));
  EXPECT_TRUE(absl::IsFailedPrecondition((*reader)->Delete("missing", {/*sync=*/true})));
  EXPECT_TRUE(absl::IsFailedPrecondition((*reader)->PutIfAbsent("key1", "v", {/*sync=*/true})));
  EXPECT_TRUE((*reader)->Close().ok());
  EXPECT_TRUE(Files() == files) << "files were changed";
}

TEST_F(DbLifetimeTest, EveryCloseReturnsWhenTheDatabaseIsClosed) {
  for (int round = 0; round < 20; ++round) {
    auto db = Open();
    ASSERT_NE(db, nullptr);
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(db->Put("key", std::string(500, 'v')).ok());
    std::atomic<int> closed{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        EXPECT_TRUE(db->Close().ok());
        // Whoever is told so may open it again, and finds it as it shall be.
        if (closed.fetch_add(1) > 0) return;
        auto reader = DB::OpenReadOnly(path_, options_);
        ASSERT_TRUE(reader.ok()) << reader.status();
        EXPECT_TRUE((*reader)->GetStats().recovery.was_clean);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

// LevelDB's directories have a LOCK too.
TEST_F(DbLifetimeTest, ADirectoryOfOtherFilesStaysAsItWas) {
  std::filesystem::create_directory(path_);
  std::ofstream(path_ + "/CURRENT") << "MANIFEST-000002";
  std::ofstream(path_ + "/LOCK") << "theirs";
  const auto files = Files();
  EXPECT_TRUE(absl::IsFailedPrecondition(DB::Open(path_, options_).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(DB::OpenReadOnly(path_, options_).status()));
  options_.create_if_missing = false;
  EXPECT_TRUE(absl::IsFailedPrecondition(DB::Open(path_, options_).status()));
  EXPECT_TRUE(Files() == files);
}

// A child that lives on has copies of the parent's descriptors. They hold nothing once the parent
// has closed, and the child may open the database then like any other process.
TEST_F(DbLifetimeTest, AForkedChildDoesNotKeepTheDatabaseLocked) {
  auto db = Open();
  ASSERT_NE(db, nullptr);
  int to_child[2], to_parent[2];
  ASSERT_EQ(::pipe(to_child), 0);
  ASSERT_EQ(::pipe(to_parent), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    bool good = absl::IsUnavailable(DB::Open(path_, options_).status());
    good = good && ::write(to_parent[1], "a", 1) == 1 && ::read(to_child[0], &byte, 1) == 1;
    good = good && DB::Open(path_, options_).ok();
    ::_exit(good ? 0 : 1);
  }
  char byte = 0;
  ASSERT_EQ(::read(to_parent[0], &byte, 1), 1);
  EXPECT_TRUE(db->Close().ok());
  db = Open();
  ASSERT_NE(db, nullptr);
  EXPECT_TRUE(db->Put("key", "value").ok());
  EXPECT_TRUE(db->Close().ok());
  ASSERT_EQ(::write(to_child[1], "b", 1), 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  for (const int fd : {to_child[0], to_child[1], to_parent[0], to_parent[1]}) ::close(fd);
}

// A listener may take locks of its own, which others hold while they call the database.
TEST_F(DbLifetimeTest, ListenersAreCalledWithoutAnyLock) {
  struct Blocking : Listener {
    void OnSegmentSealed(uint64_t, uint64_t) override {
      if (sealed.exchange(true)) return;
      while (!released.load()) std::this_thread::yield();
    }
    std::atomic<bool> sealed{false}, released{false};
  };
  auto listener = std::make_shared<Blocking>();
  options_.listener = listener;
  auto db = Open();
  ASSERT_NE(db, nullptr);
  while (!listener->sealed.load()) ASSERT_TRUE(db->Put("key", std::string(500, 'v')).ok());
  // Whoever asks for durability seals too, and would wait here for ever.
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(db->Put("key", std::string(500, 'v')).ok());
  EXPECT_TRUE(db->Sync().ok());
  listener->released.store(true);
}

// Somebody removes the directory. What is written then nobody will find, and the first sync, the
// next segment or Close tells; never by a code that speaks of a key.
class RemovedDirectoryTest : public DbLifetimeTest, public testing::WithParamInterface<int> {
 protected:
  RemovedDirectoryTest() { options_.background_threads = GetParam(); }

  static void ExpectRemoved(const absl::Status& status, const std::string& what) {
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_NE(status.message().find(what + ": removed while the database was open"),
              std::string::npos)
        << status;
  }
};

TEST_P(RemovedDirectoryTest, ASyncedWriteTells) {
  auto db = Open();
  ASSERT_TRUE(db->Put("key", "value", {/*sync=*/true}).ok());
  std::filesystem::remove_all(path_);
  ExpectRemoved(db->Put("key", "synced", {/*sync=*/true}), path_);
  ExpectRemoved(db->Sync(), path_);
  ExpectRemoved(db->BackgroundStatus(), path_);
  ExpectRemoved(db->Delete("key"), path_);
  ExpectRemoved(db->Close(), path_);
}

TEST_P(RemovedDirectoryTest, TheNextSegmentTells) {
  auto db = Open();
  ASSERT_TRUE(db->Put("key", "value").ok());
  std::filesystem::remove_all(path_);
  absl::Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) status = db->Put("key", std::string(200, 'v'));
  ExpectRemoved(status, path_);
  ExpectRemoved(db->BackgroundStatus(), path_);
  ExpectRemoved(db->Sync(), path_);
  ExpectRemoved(db->Close(), path_);
}

TEST_P(RemovedDirectoryTest, CloseTells) {
  auto db = Open();
  ASSERT_TRUE(db->Put("key", "value").ok());
  std::filesystem::remove_all(path_);
  ExpectRemoved(db->Close(), path_);
}

TEST_P(RemovedDirectoryTest, SoDoesARemovedSegment) {
  auto db = Open();
  ASSERT_TRUE(db->Put("key", "value").ok());
  const std::string segment = path_ + "/0000000000000001.seg";
  ASSERT_TRUE(std::filesystem::remove(segment));
  ExpectRemoved(db->Sync(), segment);
  ExpectRemoved(db->Close(), segment);
}

INSTANTIATE_TEST_SUITE_P(BackgroundThreads, RemovedDirectoryTest, testing::Range(0, 3));

// The first write of an opening commits what recovery found, without the write lock. Others that
// come meanwhile wait for it and are written too.
TEST_F(DbLifetimeTest, ManyFirstWritesAtOnceAreAllWritten) {
  constexpr int kRounds = 150;
  constexpr int kWriters = 4;
  for (int round = 0; round < kRounds; ++round) {
    const std::unique_ptr<DB> db = Open();
    ASSERT_NE(db, nullptr);
    std::atomic<int> ready{0};
    std::vector<std::thread> writers;
    for (int i = 0; i < kWriters; ++i) {
      writers.emplace_back([&, i] {
        ++ready;
        while (ready.load() < kWriters) {
        }
        const std::string key = std::to_string(round) + "." + std::to_string(i);
        WriteBatch batch;
        batch.Put(key, "value");
        const absl::Status status = i == 0   ? db->Write(batch)
                                    : i == 1 ? db->PutIfAbsent(key, "value", {/*sync=*/true})
                                             : db->Put(key, "value");
        EXPECT_TRUE(status.ok()) << status;
      });
    }
    for (std::thread& writer : writers) writer.join();
    EXPECT_EQ(db->KeyCount(), static_cast<uint64_t>((round + 1) * kWriters));
    ASSERT_TRUE(db->Close().ok());
  }
}

}  // namespace
}  // namespace rumcask
