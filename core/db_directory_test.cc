// What a database does with its directory: making it, the modes of its files, and removing it.

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

#include "core/db.h"
#include "core/plugin/disk_index.h"
#include "core/system/memory_file_system.h"
#include "core/testing/map_keystore.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

namespace fs = std::filesystem;

// The process's, until the end of the scope.
class Umask {
 public:
  explicit Umask(mode_t mask) : before_(::umask(mask)) {}
  ~Umask() { ::umask(before_); }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  const mode_t before_;
};

class DbDirectoryTest : public testing::Test {
 protected:
  DbDirectoryTest() {
    static int count = 0;
    root_ = fs::path(testing::TempDir()) /
            ("db_directory." + std::to_string(::getpid()) + "." + std::to_string(count++));
    fs::create_directories(root_);
    path_ = root_ / "db";
    options_.keystore = TestKeystore();
    options_.create_if_missing = true;
    options_.segment_bytes = 4096;
  }
  ~DbDirectoryTest() override {
    db_.reset();
    fs::remove_all(root_);
  }

  absl::Status Open(const fs::path& path) {
    db_.reset();
    auto db = DB::Open(path.string(), options_);
    if (db.ok()) db_ = *std::move(db);
    return db.status();
  }
  // A closed database of several segments.
  void Make() {
    const absl::Status status = Open(path_);
    ASSERT_TRUE(status.ok()) << status;
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(db_->Put("k" + std::to_string(i), Value()).ok());
    ASSERT_TRUE(db_->Close().ok());
    db_.reset();
  }
  static std::string Value() { return std::string(1000, 'v'); }
  static uint32_t ModeOf(const fs::path& path) {
    struct stat info;
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 0777;
  }
  static void Touch(const fs::path& path) { std::ofstream(path) << "theirs"; }

  fs::path root_;
  fs::path path_;
  Options options_;
  std::unique_ptr<DB> db_;
};

// ---- creation ----

TEST_F(DbDirectoryTest, MissingParentsAreMadeIfAsked) {
  const fs::path deep = root_ / "a" / "b" / "c" / "db";
  const absl::Status refused = Open(deep);
  EXPECT_TRUE(absl::IsNotFound(refused)) << refused;
  EXPECT_FALSE(fs::exists(root_ / "a"));
  options_.create_parents = true;
  const Umask umask(0022);
  // Slashes may be doubled, and stand at the end.
  const absl::Status status = Open((root_ / "a").string() + "//b/c///db//");
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(ModeOf(root_ / "a"), 0755u);
  EXPECT_EQ(ModeOf(root_ / "a" / "b" / "c"), 0755u);
  EXPECT_EQ(ModeOf(deep), 0700u);
  options_.create_if_missing = false;
  EXPECT_TRUE(absl::IsNotFound(Open(root_ / "e" / "db")));
  EXPECT_FALSE(fs::exists(root_ / "e"));
}

TEST_F(DbDirectoryTest, AParentThatIsAFileIsNamed) {
  Touch(root_ / "file");
  options_.create_parents = true;
  const absl::Status status = Open(root_ / "file" / "a" / "db");
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_TRUE(absl::StrContains(std::string(status.message()), "file")) << status;
}

TEST_F(DbDirectoryTest, ARelativePathNeedsNoParent) {
  const fs::path before = fs::current_path();
  fs::current_path(root_);
  options_.create_parents = true;
  absl::Status status = Open("db");
  EXPECT_TRUE(status.ok()) << status;
  status = Open("x/db");
  EXPECT_TRUE(status.ok()) << status;
  fs::current_path(before);
  EXPECT_TRUE(fs::exists(root_ / "x" / "db" / "MANIFEST"));
}

// ---- modes ----

TEST_F(DbDirectoryTest, FilesHaveTheModeThatWasAskedFor) {
  const Umask umask(0);
  for (const auto& [file_mode, directory_mode] :
       {std::pair<uint32_t, uint32_t>(0600, 0700), {0640, 0750}, {0644, 0755}, {0660, 0770}}) {
    SCOPED_TRACE(file_mode);
    options_.file_mode = file_mode;
    Make();
    ASSERT_TRUE(Open(path_).ok());
    ASSERT_TRUE(db_->Put("more", "").ok());
    ASSERT_TRUE(db_->Checkpoint((root_ / "checkpoint").string()).ok());
    db_.reset();
    for (const char* const name : {"db", "checkpoint"}) {
      EXPECT_EQ(ModeOf(root_ / name), directory_mode);
      int files = 0;
      for (const auto& entry : fs::directory_iterator(root_ / name)) {
        EXPECT_EQ(ModeOf(entry.path()), file_mode) << entry.path();
        ++files;
      }
      EXPECT_GT(files, 5);
      fs::remove_all(root_ / name);
    }
  }
}

// Who opens it later need not know.
TEST_F(DbDirectoryTest, AnExistingDatabaseKeepsItsMode) {
  const Umask umask(0);
  options_.file_mode = 0640;
  Make();
  options_.file_mode = 0;
  ASSERT_TRUE(Open(path_).ok());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(db_->Put("k" + std::to_string(i), Value()).ok());
  ASSERT_TRUE(db_->CompactAll().ok());
  ASSERT_TRUE(db_->Close().ok());
  for (const auto& entry : fs::directory_iterator(path_)) {
    EXPECT_EQ(ModeOf(entry.path()), 0640u) << entry.path();
  }
}

TEST_F(DbDirectoryTest, TheUmaskHasTheLastWord) {
  const Umask umask(0077);
  options_.file_mode = 0666;
  Make();
  EXPECT_EQ(ModeOf(path_), 0700u);
  EXPECT_EQ(ModeOf(path_ / "MANIFEST"), 0600u);
}

TEST_F(DbDirectoryTest, AModeThatMakesNoSenseIsRefused) {
  for (const uint32_t mode : {0400u, 0200u, 0700u, 0755u, 01600u, 0620u, 0602u}) {
    options_.file_mode = mode;
    const absl::Status status = Open(path_);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_TRUE(absl::StrContains(std::string(status.message()), "file_mode")) << status;
  }
  EXPECT_FALSE(fs::exists(path_));
}

// ---- in memory ----

TEST_F(DbDirectoryTest, ADatabaseInMemory) {
  const std::unique_ptr<FileSystem> memory = NewMemoryFileSystem();
  options_.file_system = memory.get();
  Make();
  EXPECT_FALSE(fs::exists(path_));
  ASSERT_TRUE(Open(path_).ok());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(*db_->Get("k" + std::to_string(i)), Value());
  EXPECT_TRUE(absl::IsUnavailable(DB::Open(path_.string(), options_).status()));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(db_->Delete("k" + std::to_string(i)).ok());
  ASSERT_TRUE(db_->CompactAll().ok());
  ASSERT_TRUE(db_->Checkpoint("/copy").ok());
  db_.reset();
  EXPECT_TRUE(DB::Destroy(path_.string(), memory.get()).ok());
  EXPECT_TRUE(absl::IsNotFound(memory->OpenDirectory(path_.string()).status()));
  EXPECT_TRUE(Open("/copy").ok());
  EXPECT_EQ(db_->KeyCount(), 0u);
  db_.reset();
}

TEST_F(DbDirectoryTest, AKeystoreOnDiskNeedsADisk) {
  const std::unique_ptr<FileSystem> memory = NewMemoryFileSystem();
  options_.file_system = memory.get();
  options_.keystore->traits.persistent = true;
  options_.keystore->traits.name = "on_disk";
  options_.keystore->create = nullptr;
  options_.keystore->open_index = [](const auto&...) { return absl::InternalError("opened"); };
  options_.keystore->remove_index = [](const std::string&) { return absl::OkStatus(); };
  const absl::Status status = Open(path_);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_TRUE(absl::StrContains(std::string(status.message()), "on_disk")) << status;
}

// ---- removal ----

TEST_F(DbDirectoryTest, DestroyRemovesTheDatabase) {
  Make();
  // As a keystore on disk leaves it.
  fs::create_directories(path_ / "index" / "some" / "more");
  Touch(path_ / "index" / "some" / "more" / "data");
  const absl::Status status = DB::Destroy(path_.string());
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_TRUE(absl::IsNotFound(DB::Destroy(path_.string())));
  ASSERT_TRUE(Open(path_).ok());
  EXPECT_EQ(db_->KeyCount(), 0u);
}

TEST_F(DbDirectoryTest, DestroyLeavesWhatIsNotTheDatabases) {
  Make();
  Touch(path_ / "notes.txt");
  fs::create_directory(root_ / "elsewhere");
  Touch(root_ / "elsewhere" / "file");
  fs::create_directory_symlink(root_ / "elsewhere", path_ / "index");
  const absl::Status status = DB::Destroy(path_.string());
  EXPECT_TRUE(status.ok()) << status;
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator(path_)) left.insert(entry.path().filename());
  EXPECT_EQ(left, (std::set<std::string>{"index", "notes.txt"}));
  EXPECT_TRUE(fs::exists(root_ / "elsewhere" / "file"));
}

// By a link it is found, and the link stays, with the empty directory.
TEST_F(DbDirectoryTest, DestroyFollowsALink) {
  Make();
  fs::create_directories(path_ / "index" / "some");
  Touch(path_ / "index" / "some" / "data");
  fs::create_directory_symlink(path_, root_ / "link");
  const absl::Status status = DB::Destroy((root_ / "link").string());
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(fs::is_empty(path_));
  ASSERT_TRUE(Open(root_ / "link").ok());
}

// Other programs have files of that name, too.
TEST_F(DbDirectoryTest, DestroyLooksIntoManifest) {
  fs::create_directories(path_ / "index");
  Touch(path_ / "index" / "page.html");
  Touch(path_ / "MANIFEST");
  const absl::Status status = DB::Destroy(path_.string());
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(fs::exists(path_ / "MANIFEST"));
  EXPECT_TRUE(fs::exists(path_ / "index" / "page.html"));
}

// What is under links in an index is somebody else's.
TEST_F(DbDirectoryTest, DestroyFollowsNoLinkInAnIndex) {
  Make();
  fs::create_directories(path_ / "index" / "some" / "deep" / "er");
  Touch(path_ / "index" / "some" / "deep" / "er" / "data");
  fs::create_directory(root_ / "elsewhere");
  Touch(root_ / "elsewhere" / "file");
  fs::create_directory_symlink(root_ / "elsewhere", path_ / "index" / "some" / "link");
  const absl::Status status = DB::Destroy(path_.string());
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_TRUE(fs::exists(root_ / "elsewhere" / "file"));
}

// Of a directory that was moved away the new one at its place knows nothing.
TEST_F(DbDirectoryTest, DestroyKeepsToTheDirectoryThatItHasOpened) {
  Make();
  fs::create_directories(path_ / "index" / "some");
  Touch(path_ / "index" / "some" / "data");
  FaultFileSystem faults(PosixFileSystem());
  bool moved = false;
  faults.SetHook([&](const Call& call) {
    // After the lock was acquired.
    if (call.kind != CallKind::kList || std::exchange(moved, true)) return;
    fs::rename(path_, root_ / "moved");
    fs::create_directories(path_ / "index");
    Touch(path_ / "index" / "data");
  });
  const absl::Status status = DB::Destroy(path_.string(), &faults);
  EXPECT_TRUE(status.ok()) << status;
  ASSERT_TRUE(moved);
  EXPECT_TRUE(fs::is_empty(root_ / "moved"));
  EXPECT_TRUE(fs::exists(path_ / "index" / "data"));
}

TEST_F(DbDirectoryTest, DestroyRemovesWhatHasADamagedManifest) {
  Make();
  Touch(path_ / "MANIFEST");
  EXPECT_TRUE(absl::IsDataLoss(Open(path_)));
  EXPECT_TRUE(DB::Destroy(path_.string()).ok());
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(DbDirectoryTest, DestroyRefusesWhatIsNoDatabase) {
  EXPECT_TRUE(absl::IsNotFound(DB::Destroy(path_.string())));
  EXPECT_TRUE(absl::IsInvalidArgument(DB::Destroy("")));
  fs::create_directory(path_);
  EXPECT_TRUE(absl::IsNotFound(DB::Destroy(path_.string())));
  EXPECT_TRUE(fs::exists(path_));
  Touch(path_ / "notes.txt");
  const absl::Status status = DB::Destroy(path_.string());
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_TRUE(absl::StrContains(std::string(status.message()), path_.string())) << status;
  EXPECT_TRUE(fs::exists(path_ / "notes.txt"));
  EXPECT_TRUE(absl::IsFailedPrecondition(DB::Destroy((path_ / "notes.txt").string())));
}

TEST_F(DbDirectoryTest, DestroyRefusesAnOpenDatabase) {
  Make();
  ASSERT_TRUE(Open(path_).ok());
  absl::Status status = DB::Destroy(path_.string());
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(*db_->Get("k3"), Value());
  db_.reset();
  auto reader = DB::OpenReadOnly(path_.string(), options_);
  ASSERT_TRUE(reader.ok());
  status = DB::Destroy(path_.string());
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(*(*reader)->Get("k3"), Value());
}

TEST_F(DbDirectoryTest, DestroyRemovesWhatHasNoManifest) {
  Make();
  fs::remove(path_ / "MANIFEST");
  EXPECT_TRUE(absl::IsDataLoss(Open(path_)));
  EXPECT_TRUE(DB::Destroy(path_.string()).ok());
  EXPECT_FALSE(fs::exists(path_));
}

}  // namespace
}  // namespace rumcask
