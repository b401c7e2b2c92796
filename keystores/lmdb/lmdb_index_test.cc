// What the LMDB index does beyond core/plugin/disk_index.h, which has its own tests.

#include "keystores/lmdb/lmdb_index.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/plugin/disk_index.h"
#include "keystores/lmdb/lmdb_environment.h"
#include "keystores/lmdb/lmdb_readers.h"

// Replaces the C library's functions in this program, also for LMDB's calls. The call with number
// `last_call` ends the process, and the one with number `failing_call` fails.
static int syncs = 0, calls = 0, last_call = 0, failing_call = 0, failure = 0;
static bool disk_is_full = false;
static bool Fails() {
  if (++calls == last_call) ::_exit(3);
  if (calls != failing_call) return false;
  errno = failure;
  return true;
}
template <typename Function, typename... Arguments>
static auto Next(const char* name, Function* /*same*/, Arguments... arguments)
    -> decltype(std::declval<Function*>()(arguments...)) {
  if (Fails()) return -1;
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name))(arguments...);
}
extern "C" {
int fsync(int fd) { return Next("fsync", fsync, fd); }
int fdatasync(int fd) {
  ++syncs;
  return Next("fdatasync", fdatasync, fd);
}
int rename(const char* from, const char* to) noexcept {
  return Next("rename", static_cast<int (*)(const char*, const char*)>(rename), from, to);
}
int unlink(const char* name) noexcept {
  return Next("unlink", static_cast<int (*)(const char*)>(unlink), name);
}
int ftruncate(int fd, off_t size) noexcept {
  return Next("ftruncate", static_cast<int (*)(int, off_t)>(ftruncate), fd, size);
}
int fstatvfs(int fd, struct statvfs* disk) noexcept {
  const int result =
      reinterpret_cast<decltype(&fstatvfs)>(::dlsym(RTLD_NEXT, "fstatvfs"))(fd, disk);
  if (disk_is_full) disk->f_bavail = 1;
  return result;
}
ssize_t write(int fd, const void* bytes, size_t size) {
  return Next("write", write, fd, bytes, size);
}
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  return Next("pwrite", pwrite, fd, bytes, size, at);
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off_t at) {
  return Next("pwrite64", pwrite, fd, bytes, size, at);
}
ssize_t pwritev(int fd, const struct iovec* pieces, int count, off_t at) {
  return Next("pwritev", pwritev, fd, pieces, count, at);
}
int open(const char* name, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return Next("open", static_cast<int (*)(const char*, int, mode_t)>(nullptr), name, flags, mode);
}
int open64(const char* name, int flags, ...) __attribute__((alias("open")));
}

// Replaces mmap in the same way: larger mappings than this are refused as Valgrind refuses them.
static size_t most_mapped = SIZE_MAX;
extern "C" void* mmap(void* at, size_t size, int protection, int flags, int fd, off_t offset) {
  static const auto next =
      reinterpret_cast<void* (*)(void*, size_t, int, int, int, off_t)>(::dlsym(RTLD_NEXT, "mmap"));
  if (size <= most_mapped) return next(at, size, protection, flags, fd, offset);
  errno = EINVAL;
  return MAP_FAILED;
}

namespace rumcask {
namespace {

class Batch : public IndexBatch {
 public:
  void Set(std::string key, std::string value) {
    bytes_.push_back(std::make_unique<std::string>(std::move(key)));
    bytes_.push_back(std::make_unique<std::string>(std::move(value)));
    changes_.push_back({*bytes_[bytes_.size() - 2], *bytes_.back()});
  }
  const std::vector<IndexChange>& changes() const override { return changes_; }
  bool wants_replaced() const override { return false; }
  bool Accepts(size_t, std::string_view) override { return true; }
  std::vector<IndexNote> Notes() override { return {{"note", "value"}}; }

 private:
  std::vector<std::unique_ptr<std::string>> bytes_;
  std::vector<IndexChange> changes_;
};

std::string KeyOf(uint64_t i) { return absl::StrCat("key", 10000000 + i, std::string(60, '.')); }

class LmdbIndexTest : public testing::Test {
 protected:
  LmdbIndexTest()
      : path_(absl::StrCat(testing::TempDir(), "/lmdb.",
                           testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~LmdbIndexTest() override { std::filesystem::remove_all(path_); }

  std::string File(const std::string& name) const { return absl::StrCat(path_, "/", name); }

  std::unique_ptr<DiskIndex> Open(bool read_only = false) {
    DiskIndexConfig config;
    config.path = path_;
    config.read_only = read_only;
    auto index = OpenLmdbIndex(config);
    EXPECT_TRUE(index.ok()) << index.status();
    return index.ok() ? *std::move(index) : nullptr;
  }

  // Sets keys [begin, end) to `value`, or removes them if it is empty.
  static void Set(DiskIndex* index, uint64_t begin, uint64_t end, const std::string& value) {
    Batch batch;
    for (uint64_t i = begin; i < end; ++i) batch.Set(KeyOf(i), value);
    ASSERT_TRUE(index->Commit(&batch).ok());
  }

  // Makes an index of more than kLmdbRewriteBytes in which `kept` of 200,000 keys are left.
  void MakeMostlyFree(uint64_t kept) {
    std::unique_ptr<DiskIndex> index = Open();
    for (uint64_t i = 0; i < 200000; i += 20000) Set(index.get(), i, i + 20000, "value");
    for (uint64_t i = kept; i < 200000; i += 20000) {
      Set(index.get(), i, std::min<uint64_t>(i + 20000, 200000), "");
    }
    ASSERT_GT(index->FileBytes(), kLmdbRewriteBytes);
  }

  const std::string path_;
};

TEST_F(LmdbIndexTest, EveryCommitIsDurable) {
  const std::unique_ptr<DiskIndex> index = Open();
  for (uint64_t i = 0; i < 5; ++i) {
    const int before = syncs;
    Set(index.get(), i, i + 1, "value");
    EXPECT_GT(syncs, before);
  }
  const int before = syncs;
  EXPECT_TRUE(index->Flush().ok());
  std::string note;
  EXPECT_TRUE(index->GetNote("note", /*durable=*/true, &note).ok());
  EXPECT_EQ(syncs, before);
}

TEST_F(LmdbIndexTest, AFileThatIsMostlyFreeIsRewrittenAtOpening) {
  // A third of it is used, too much for commits to rewrite it.
  constexpr uint64_t kKept = 70000;
  MakeMostlyFree(kKept);
  const uint64_t before = std::filesystem::file_size(File("data.mdb"));
  {
    // A read-only opening, which may change nothing, does not rewrite the file.
    const std::unique_ptr<DiskIndex> index = Open(/*read_only=*/true);
    EXPECT_EQ(index->KeyCount(), kKept);
  }
  EXPECT_EQ(std::filesystem::file_size(File("data.mdb")), before);

  // The remains of an interrupted rewriting do no harm.
  std::ofstream(File("data.mdb.new")) << "half a file";
  std::unique_ptr<DiskIndex> index = Open();
  EXPECT_LT(std::filesystem::file_size(File("data.mdb")), before / 2);
  EXPECT_FALSE(std::filesystem::exists(File("data.mdb.new")));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(index->KeyCount(), kKept);
    std::string value;
    EXPECT_TRUE(index->Get(KeyOf(kKept - 1), &value).ok());
    EXPECT_TRUE(absl::IsNotFound(index->Get(KeyOf(kKept), &value)));
    EXPECT_TRUE(index->GetNote("note", /*durable=*/true, &value).ok());
    Set(index.get(), 0, 10, "new");
    index.reset();
    index = Open();
    EXPECT_TRUE(index->Get(KeyOf(5), &value).ok());
    EXPECT_EQ(value, "new");
  }
}

TEST_F(LmdbIndexTest, AFileThatIsHalfFullIsNotRewritten) {
  MakeMostlyFree(120000);
  const uint64_t before = std::filesystem::file_size(File("data.mdb"));
  EXPECT_EQ(Open()->KeyCount(), 120000);
  EXPECT_EQ(std::filesystem::file_size(File("data.mdb")), before);
}

// Of an index that gets nearly empty, file and memory do so, too, while threads read beside it.
TEST_F(LmdbIndexTest, AFileThatGetsMostlyFreeIsRewrittenAtOnce) {
  const std::unique_ptr<DiskIndex> index = Open();
  Set(index.get(), 0, 40000, "value");
  ASSERT_GT(index->FileBytes(), 3 * kLmdbSmallBytes);
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      std::string value;
      IndexRows rows;
      while (!done.load()) {
        ASSERT_TRUE(index->Get(KeyOf(7), &value).ok());
        ASSERT_TRUE(index->Scan({}, 10, &rows).ok());
        ASSERT_EQ(rows.size(), 10u);
        ASSERT_TRUE(index->GetNote("note", /*durable=*/true, &value).ok());
      }
    });
  }
  for (int round = 0; round < 5; ++round) {
    // A copy would take the room that is left, so there is none before there is plenty again.
    disk_is_full = true;
    for (uint64_t i = 10; i < 40000; i += 1000) Set(index.get(), i, i + 1000, "");
    EXPECT_GT(index->FileBytes(), kLmdbSmallBytes);
    disk_is_full = false;
    for (uint64_t i = 10; i < 40000; i += 1000) Set(index.get(), i, i + 1000, "");
    EXPECT_LE(index->FileBytes(), kLmdbSmallBytes);
    EXPECT_EQ(index->KeyCount(), 10);
    Set(index.get(), 10, 40000, "again");
    EXPECT_EQ(index->KeyCount(), 40000);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
}

// What a rewriting has to survive: 20 of 20,000 keys are left, in a file of more than 2 MiB.
class LmdbRewriteTest : public LmdbIndexTest {
 protected:
  void SetUp() override {
    Set(Open().get(), 0, 20000, "value");
    std::filesystem::copy(path_, Original(), std::filesystem::copy_options::recursive);
  }
  void TearDown() override { std::filesystem::remove_all(Original()); }
  std::string Original() const { return absl::StrCat(path_, ".original"); }
  void Restore() {
    std::filesystem::remove_all(path_);
    std::filesystem::copy(Original(), path_, std::filesystem::copy_options::recursive);
  }
  // Either nothing was removed, or all of it. Goes on then, and once more after an opening.
  void ExpectSound(const std::string& what, bool removed) {
    for (int round = 0; round < 2; ++round) {
      const std::unique_ptr<DiskIndex> index = Open();
      ASSERT_NE(index, nullptr) << what;
      const uint64_t keys = index->KeyCount();
      ASSERT_TRUE(keys == 20 || (keys == 20000 && !removed && round == 0)) << what << ": " << keys;
      std::string value;
      for (uint64_t i = 0; i < 20; ++i) ASSERT_TRUE(index->Get(KeyOf(i), &value).ok()) << what;
      ASSERT_TRUE(index->GetNote("note", /*durable=*/true, &value).ok()) << what;
      ASSERT_EQ(std::filesystem::exists(File("data.mdb.new")), false) << what;
      Set(index.get(), 20, 20000, "");
      ASSERT_LE(index->FileBytes(), kLmdbSmallBytes) << what;
    }
  }
  static absl::Status Remove(DiskIndex* index) {
    Batch batch;
    for (uint64_t i = 20; i < 20000; ++i) batch.Set(KeyOf(i), "");
    return index->Commit(&batch);
  }
};

TEST_F(LmdbRewriteTest, SurvivesAKillAtEveryCall) {
  bool ended = false;
  int kills = 0;
  for (int call = 1; !ended && !HasFatalFailure(); ++call) {
    Restore();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const std::unique_ptr<DiskIndex> index = Open();
      calls = 0;
      last_call = call;
      ::_exit(Remove(index.get()).ok() ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3));
    ended = WEXITSTATUS(status) == 0;
    kills += ended ? 0 : 1;
    ExpectSound(absl::StrCat("killed at call ", call), ended);
  }
  EXPECT_GT(kills, 10);
}

TEST_F(LmdbRewriteTest, SurvivesAFailureOfEveryCall) {
  int failures = 0;
  int went_on = 0;
  for (const int error : {EIO, ENOSPC, EMFILE}) {
    bool ended = false;
    for (int call = 1; !ended && !HasFatalFailure(); ++call) {
      const std::string what = absl::StrCat("call ", call, ": ", std::strerror(error));
      Restore();
      std::unique_ptr<DiskIndex> index = Open();
      failure = error;
      calls = 0;
      failing_call = call;
      absl::Status status = Remove(index.get());
      ended = calls < call;
      failing_call = 0;
      failures += ended ? 0 : 1;
      // Goes on in the same process, which LMDB does not after a failure to write its meta page.
      const bool removed = status.ok();
      std::string value;
      for (uint64_t i = 0; i < 20; ++i) {
        status = index->Get(KeyOf(i), &value);
        if (!status.ok()) break;
        ASSERT_EQ(value, "value") << what;
      }
      const absl::Status again = Remove(index.get());
      if (again.ok()) {
        ASSERT_TRUE(index->Get(KeyOf(7), &value).ok()) << what;
        ASSERT_TRUE(absl::IsNotFound(index->Get(KeyOf(77), &value))) << what;
        ++went_on;
      }
      index.reset();
      ExpectSound(what, removed || again.ok());
    }
  }
  EXPECT_GT(failures, 30);
  EXPECT_GT(went_on, failures / 2);
}

// After some of these changes, LMDB alone would leave the file shorter than it says.
TEST_F(LmdbIndexTest, TheFileIsAlwaysAsLongAsItSays) {
  std::unique_ptr<DiskIndex> index = Open();
  std::mt19937_64 random(1);
  for (int i = 0; i < 300; ++i) {
    const uint64_t begin = random() % 3000;
    Set(index.get(), begin, begin + random() % 300, random() % 2 == 0 ? "" : "value");
    if (i % 10 == 9) {
      index.reset();
      index = Open();
      ASSERT_NE(index, nullptr);
    }
  }
}

TEST_F(LmdbIndexTest, ReadersKeepNoPagesBetweenCalls) {
  const std::unique_ptr<DiskIndex> index = Open();
  Set(index.get(), 0, 2000, "value");
  std::string value;
  uint64_t size = 0;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(index->Get(KeyOf(7), &value).ok());
    Set(index.get(), 0, 2000, absl::StrCat("value", i));
    if (i == 10) size = index->FileBytes();
  }
  EXPECT_LE(index->FileBytes(), size + size / 10);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZERS_NEED_ALL_ADDRESSES
#endif
#endif

#ifndef SANITIZERS_NEED_ALL_ADDRESSES
// For a process that may not have 256 GiB of addresses.
TEST_F(LmdbIndexTest, AsMuchIsMappedAsThereIsRoomFor) {
  struct rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_AS, &before), 0);
  struct rlimit limited = before;
  limited.rlim_cur = rlim_t{8} << 30;
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &limited), 0);
  const std::unique_ptr<DiskIndex> index = Open();
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &before), 0);
  ASSERT_NE(index, nullptr);
  Set(index.get(), 0, 1000, "value");
  EXPECT_EQ(index->KeyCount(), 1000);
}
#endif

TEST_F(LmdbIndexTest, AsMuchIsMappedAsValgrindAllows) {
  most_mapped = size_t{3} << 30;
  const std::unique_ptr<DiskIndex> index = Open();
  most_mapped = SIZE_MAX;
  ASSERT_NE(index, nullptr);
  Set(index.get(), 0, 1000, "value");
  EXPECT_EQ(index->KeyCount(), 1000);
}

// A transaction that LMDB refuses does not use up one of the places.
TEST_F(LmdbIndexTest, AReaderThatCouldNotBeginLeavesItsPlaceToOthers) {
  constexpr unsigned kReaders = 2;
  const auto env = OpenLmdbEnvironment(path_, /*read_only=*/false, 2, kReaders);
  ASSERT_TRUE(env.ok()) << env.status();
  LmdbReaders readers(env->get(), path_);
  for (int round = 0; round < 2; ++round) {
    const LmdbReader first(&readers);
    const LmdbReader second(&readers);
    ASSERT_TRUE(first.status().ok() && second.status().ok());
    const uint64_t memory = readers.MemoryBytes();
    // If each refused transaction kept its place, the last call would wait for ever.
    for (size_t i = 0; i < 2 * LmdbReaders::kShardReaders; ++i) {
      const LmdbReader third(&readers);
      ASSERT_TRUE(absl::IsResourceExhausted(third.status())) << third.status();
    }
    EXPECT_EQ(readers.MemoryBytes(), memory);
  }
}

TEST_F(LmdbIndexTest, MapsOfAnotherProgramAreRefused) {
  {
    const auto env = OpenLmdbEnvironment(path_, /*read_only=*/false, 2, 10);
    ASSERT_TRUE(env.ok()) << env.status();
    MDB_txn* txn = nullptr;
    ASSERT_EQ(mdb_txn_begin(env->get(), nullptr, 0, &txn), MDB_SUCCESS);
    MDB_dbi map = 0;
    ASSERT_EQ(mdb_dbi_open(txn, "entries", MDB_CREATE | MDB_REVERSEKEY, &map), MDB_SUCCESS);
    ASSERT_EQ(mdb_txn_commit(txn), MDB_SUCCESS);
  }
  DiskIndexConfig config;
  config.path = path_;
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenLmdbIndex(config).status()));
}

TEST_F(LmdbIndexTest, AFileThatWasLeftBeforeItHadAnIndexIsNoneToAReader) {
  // This is what a process leaves that ends after LMDB has created the file and before our maps
  // exist.
  ASSERT_TRUE(OpenLmdbEnvironment(path_, /*read_only=*/false, 2, 1).ok());
  const auto index = OpenLmdbIndex({path_, /*read_only=*/true});
  EXPECT_TRUE(absl::IsNotFound(index.status())) << index.status();
  EXPECT_NE(index.status().message(), "");
  EXPECT_TRUE(OpenLmdbIndex({path_, /*read_only=*/false}).ok());
}

TEST_F(LmdbIndexTest, NumbersOfAMetaPageAreNotTrusted) {
  { Set(Open().get(), 0, 1000, "value"); }
  std::string original(std::filesystem::file_size(File("data.mdb")), '\0');
  std::ifstream(File("data.mdb")).read(original.data(), static_cast<int>(original.size()));
  // Every byte of both meta pages: page size, version, roots, last page and all others.
  DiskIndexConfig config;
  config.path = path_;
  int refused = 0;
  for (size_t page : {0, 4096}) {
    for (size_t at = page; at < page + 152; ++at) {
      for (const char byte : {'\0', '\xff'}) {
        std::string damaged = original;
        damaged[at] = byte;
        std::ofstream(File("data.mdb"), std::ios::trunc) << damaged;
        const auto index = OpenLmdbIndex(config);
        if (index.ok()) continue;
        ++refused;
        EXPECT_TRUE(absl::IsDataLoss(index.status()) || absl::IsFailedPrecondition(index.status()))
            << index.status() << " at " << at;
      }
    }
  }
  EXPECT_GT(refused, 60);
}

TEST(LmdbStatusTest, NamesCallAndPathAndTellsWhatToDo) {
  const auto code = [](int result) { return LmdbStatus("call", "path", result).code(); };
  EXPECT_EQ(LmdbStatus("call", "path", MDB_CORRUPTED).message().find("call path: MDB_CORRUPTED"),
            0);
  EXPECT_EQ(LmdbStatus("call", "path", ENOSPC).message(), "call path: No space left on device");
  EXPECT_EQ(LmdbStatus("call", "path", MDB_NOTFOUND),
            absl::Status(absl::StatusCode::kNotFound, ""));
  for (const int result : {MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_INVALID, MDB_VERSION_MISMATCH}) {
    EXPECT_EQ(code(result), absl::StatusCode::kDataLoss);
  }
  for (const int result : {MDB_MAP_FULL, ENOSPC, ENOMEM}) {
    EXPECT_EQ(code(result), absl::StatusCode::kResourceExhausted);
  }
  EXPECT_EQ(code(EACCES), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(code(EIO), absl::StatusCode::kInternal);
  EXPECT_EQ(code(MDB_PANIC), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace rumcask
