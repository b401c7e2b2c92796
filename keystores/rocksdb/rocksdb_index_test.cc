#include "keystores/rocksdb/rocksdb_index.h"

#include <dlfcn.h>
#include <rocksdb/status.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/plugin/disk_index.h"

namespace {

// Bytes that can still be written to files whose path contains this; after that the disk is full.
constexpr const char* kOnSmallDisk = "/rocksdb.on_small_disk";
constexpr int64_t kPlenty = int64_t{1} << 50;
std::atomic<int64_t> room{kPlenty};
std::atomic<int> refused{0};

bool HasRoomFor(int fd, size_t bytes) {
  char path[4096];
  const std::string link = absl::StrCat("/proc/self/fd/", fd);
  const ssize_t length = ::readlink(link.c_str(), path, sizeof path);
  if (length < 0 ||
      !absl::StrContains(absl::string_view(path, static_cast<size_t>(length)), kOnSmallDisk) ||
      room.fetch_sub(static_cast<int64_t>(bytes)) >= static_cast<int64_t>(bytes)) {
    return true;
  }
  room.store(0);
  ++refused;
  errno = ENOSPC;
  return false;
}

}  // namespace

// Replaces the C library's functions, which RocksDB calls.
extern "C" ssize_t write(int fd, const void* bytes, size_t size) {
  static const auto next =
      reinterpret_cast<ssize_t (*)(int, const void*, size_t)>(::dlsym(RTLD_NEXT, "write"));
  return HasRoomFor(fd, size) ? next(fd, bytes, size) : -1;
}

extern "C" ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  static const auto next =
      reinterpret_cast<ssize_t (*)(int, const void*, size_t, off_t)>(::dlsym(RTLD_NEXT, "pwrite"));
  return HasRoomFor(fd, size) ? next(fd, bytes, size, offset) : -1;
}

namespace rumcask {
namespace {

class Batch : public IndexBatch {
 public:
  explicit Batch(bool asks) : asks_(asks) {}
  void Set(std::string key, std::string value) {
    bytes_.push_back(std::make_unique<std::string>(std::move(key)));
    bytes_.push_back(std::make_unique<std::string>(std::move(value)));
    changes_.push_back({*bytes_.end()[-2], *bytes_.end()[-1]});
  }
  void Note(std::string value) { note_ = std::move(value); }

  const std::vector<IndexChange>& changes() const override { return changes_; }
  bool wants_replaced() const override { return asks_; }
  bool Accepts(size_t, std::string_view before) override {
    replaced_ += !before.empty();
    return true;
  }
  std::vector<IndexNote> Notes() override { return {{"note", note_}}; }
  int replaced() const { return replaced_; }

 private:
  const bool asks_;
  std::vector<std::unique_ptr<std::string>> bytes_;
  std::vector<IndexChange> changes_;
  std::string note_ = "value";
  int replaced_ = 0;
};

std::string KeyOf(uint64_t i) { return absl::StrCat("key", 10000000 + i); }

class RocksdbIndexTest : public testing::Test {
 protected:
  RocksdbIndexTest() : path_(absl::StrCat(testing::TempDir(), kOnSmallDisk)) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~RocksdbIndexTest() override {
    room = kPlenty;
    std::filesystem::remove_all(path_);
  }

  std::unique_ptr<DiskIndex> Open() {
    DiskIndexConfig config;
    config.path = path_;
    auto index = OpenRocksdbIndex(config, options_);
    EXPECT_TRUE(index.ok()) << index.status();
    return index.ok() ? *std::move(index) : nullptr;
  }

  // Sets keys [begin, end) and the note to `value`.
  static absl::Status Set(DiskIndex* index, uint64_t begin, uint64_t end,
                          const std::string& value) {
    Batch batch(/*asks=*/false);
    for (uint64_t i = begin; i < end; ++i) batch.Set(KeyOf(i), value);
    batch.Note(value);
    return index->Commit(&batch);
  }
  static std::string DurableNote(const DiskIndex& index) {
    std::string note;
    const absl::Status status = index.GetNote("note", /*durable=*/true, &note);
    return status.ok() ? note : status.ToString();
  }

  const std::string path_;
  RocksdbOptions options_;
};

// In each round the disk is full at first, at another byte, so that files and the records that name
// them remain incomplete.
TEST_F(RocksdbIndexTest, GoesOnWhenAFullDiskHasRoomAgain) {
  std::unique_ptr<DiskIndex> index = Open();
  ASSERT_TRUE(Set(index.get(), 0, 5000, "first").ok());
  ASSERT_TRUE(index->Flush().ok());
  std::string durable = "first";
  for (int round = 0; round < 4; ++round) {
    SCOPED_TRACE(round);
    const std::string value = absl::StrCat("round", round);
    room = round % 2 == 0 ? (round + 1) * 20000 : 0;
    const int before = refused;
    for (int attempt = 0; attempt < 2; ++attempt) {
      absl::Status status = Set(index.get(), 0, 5000, value);
      if (status.ok()) status = index->Flush();
      ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
      EXPECT_EQ(DurableNote(*index), durable);
      std::string got;
      ASSERT_TRUE(index->Get(KeyOf(4999), &got).ok());
    }
    EXPECT_GT(refused, before);
    room = kPlenty;
    // Work that RocksDB began while the disk was full may still fail.
    absl::Status status;
    for (int attempt = 0; attempt < 50; ++attempt) {
      status = Set(index.get(), 0, 5000, value);
      if (status.ok()) status = index->Flush();
      if (!absl::IsResourceExhausted(status)) break;
    }
    ASSERT_TRUE(status.ok()) << status;
    // The note is durable at once, not some time later.
    EXPECT_EQ(DurableNote(*index), value);
    durable = value;
  }
  index.reset();
  index = Open();
  ASSERT_NE(index, nullptr);
  EXPECT_EQ(DurableNote(*index), durable);
}

// A write does not wait for memtables that are full while none can be written to disk.
TEST_F(RocksdbIndexTest, AFullDiskStallsNoWrite) {
  options_.write_buffer_bytes = 64 << 10;
  std::unique_ptr<DiskIndex> index = Open();
  room = 0;
  absl::Status status;
  for (int i = 0; i < 8; ++i) {
    status = Set(index.get(), 0, 2000, "value");
    EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
  }
  status = index->Flush();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  room = kPlenty;
  for (int attempt = 0; attempt < 50; ++attempt) {
    status = Set(index.get(), 0, 2000, "last");
    if (status.ok()) status = index->Flush();
    if (!absl::IsResourceExhausted(status)) break;
  }
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(DurableNote(*index), "last");
}

TEST_F(RocksdbIndexTest, ClosesOnAFullDisk) {
  std::unique_ptr<DiskIndex> index = Open();
  ASSERT_TRUE(Set(index.get(), 0, 5000, "first").ok());
  ASSERT_TRUE(index->Flush().ok());
  room = 1000;
  ASSERT_TRUE(Set(index.get(), 0, 5000, "second").ok());
  ASSERT_TRUE(absl::IsResourceExhausted(index->Flush()));
  index.reset();
  room = kPlenty;
  index = Open();
  ASSERT_NE(index, nullptr);
  EXPECT_EQ(DurableNote(*index), "first");
}

TEST_F(RocksdbIndexTest, GoesOnWhenThereAreDescriptorsAgain) {
  std::unique_ptr<DiskIndex> index = Open();
  ASSERT_TRUE(Set(index.get(), 0, 1000, "first").ok());
  struct rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  struct rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const absl::Status full = index->Flush();
  const auto refused_open = OpenRocksdbIndex({path_ + ".other", false}, options_);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_TRUE(absl::IsResourceExhausted(refused_open.status())) << refused_open.status();
  absl::Status status;
  for (int attempt = 0; attempt < 50; ++attempt) {
    status = index->Flush();
    if (!absl::IsResourceExhausted(status)) break;
  }
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(DurableNote(*index), "first");
}

// An entry that cannot be read must not count as missing.
TEST_F(RocksdbIndexTest, WhatIsReplacedIsNotAbsentBecauseItCannotBeRead) {
  options_.block_cache_bytes = 0;
  std::unique_ptr<DiskIndex> index = Open();
  ASSERT_TRUE(Set(index.get(), 0, 5000, "first").ok());
  ASSERT_TRUE(index->Flush().ok());
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    if (entry.path().extension() != ".sst") continue;
    // The blocks of the file are garbage, but its end, which says where they are, is intact.
    const auto size = std::filesystem::file_size(entry.path());
    const std::string zeros(size / 2, '\0');
    FILE* const file = std::fopen(entry.path().c_str(), "r+");
    ASSERT_NE(file, nullptr);
    ASSERT_EQ(std::fwrite(zeros.data(), 1, zeros.size(), file), zeros.size());
    std::fclose(file);
  }
  Batch batch(/*asks=*/true);
  batch.Set(KeyOf(10), "second");
  const absl::Status status = index->Commit(&batch);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_EQ(batch.replaced(), 0);
  // Nothing was written, so the note is still unreadable.
  std::string note;
  EXPECT_TRUE(absl::IsDataLoss(index->GetNote("note", /*durable=*/false, &note)));
}

TEST(RocksdbStatusTest, TellsWhatToDo) {
  using rocksdb::Status;
  const auto code = [](const Status& status) {
    return RocksdbStatus("call", "path", status).code();
  };
  EXPECT_TRUE(RocksdbStatus("call", "path", Status::OK()).ok());
  EXPECT_EQ(RocksdbStatus("call", "path", Status::NotFound("why")),
            absl::Status(absl::StatusCode::kNotFound, ""));
  EXPECT_EQ(RocksdbStatus("call", "path", Status::NoSpace("why")).message(),
            "call path: IO error: No space left on device: why");
  for (const Status& status :
       {Status::NoSpace("why"), Status::SpaceLimit("why"), Status::MemoryLimit("why"),
        Status::Busy("why"), Status::TryAgain("why"),
        Status::IOError("opening", std::strerror(EMFILE)),
        Status::IOError("opening", std::strerror(ENFILE)),
        Status::IOError("mapping", std::strerror(ENOMEM)),
        Status::IOError("writing", std::strerror(EDQUOT))}) {
    EXPECT_EQ(code(status), absl::StatusCode::kResourceExhausted) << status.ToString();
  }
  for (const Status& status : {Status::Corruption("why"), Status::PathNotFound("why")}) {
    EXPECT_EQ(code(status), absl::StatusCode::kDataLoss) << status.ToString();
  }
  for (const int error : {EACCES, EPERM, EROFS}) {
    EXPECT_EQ(code(Status::IOError("opening", std::strerror(error))),
              absl::StatusCode::kPermissionDenied);
  }
  for (const Status& status : {Status::IOError("writing", std::strerror(EIO)),
                               Status::IOError("why"), Status::Aborted("why")}) {
    EXPECT_EQ(code(status), absl::StatusCode::kInternal) << status.ToString();
  }
}

}  // namespace
}  // namespace rumcask
