// What the system reads from the device: counted as pages of the segments that are in the page
// cache afterwards.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/db.h"
#include "keystores/by_name.h"

namespace rumcask {
namespace {

constexpr int kKeys = 40000;
constexpr size_t kValueBytes = 1000;
// Keys are far enough apart that no two records share a page.
constexpr int kGets = 200;

struct Pages {
  uint64_t cached = 0;
  uint64_t all = 0;
};

class ColdReadsTest : public testing::TestWithParam<ReadMode> {
 protected:
  ColdReadsTest() {
    options_.keystore = *KeystoreByName("hash");
    options_.create_if_missing = true;
    options_.read_mode = GetParam();
    options_.segment_bytes = 4 << 20;
    Open();
    for (int i = 0; i < kKeys; ++i) EXPECT_TRUE(db_->Put(Key(i), Value(i)).ok());
    Close();
  }
  ~ColdReadsTest() override {
    db_.reset();
    std::filesystem::remove_all(path_);
  }

  static std::string Key(int i) { return absl::StrCat("key", i); }
  static std::string Value(int i) {
    std::string value = absl::StrCat("value", i);
    value.resize(kValueBytes, '.');
    return value;
  }

  void Open() {
    auto db = DB::Open(path_, options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }
  void Close() {
    ASSERT_TRUE(db_->Close().ok());
    db_.reset();
  }

  std::vector<std::string> SegmentFiles() const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      if (entry.path().extension() == ".seg") files.push_back(entry.path());
    }
    return files;
  }
  // False if the file system keeps them, as those in memory do.
  bool DropCaches() const {
    for (const std::string& file : SegmentFiles()) {
      const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
      EXPECT_GE(fd, 0);
      EXPECT_EQ(::fdatasync(fd), 0);
      EXPECT_EQ(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
      ::close(fd);
    }
    const Pages pages = Count();
    return pages.cached < pages.all / 10;
  }
  Pages Count() const {
    Pages pages;
    const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    for (const std::string& file : SegmentFiles()) {
      const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
      struct stat info;
      EXPECT_EQ(::fstat(fd, &info), 0);
      const auto bytes = static_cast<size_t>(info.st_size);
      void* const mapping = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
      EXPECT_NE(mapping, MAP_FAILED);
      std::vector<unsigned char> cached((bytes + page - 1) / page);
      EXPECT_EQ(::mincore(mapping, bytes, cached.data()), 0);
      for (const unsigned char flags : cached) pages.cached += flags & 1;
      pages.all += cached.size();
      ::munmap(mapping, bytes);
      ::close(fd);
    }
    return pages;
  }

  const std::string path_ = absl::StrCat(testing::TempDir(), "/cold_reads");
  Options options_;
  std::unique_ptr<DB> db_;
};

INSTANTIATE_TEST_SUITE_P(Modes, ColdReadsTest, testing::Values(ReadMode::kMapped, ReadMode::kPread),
                         [](const auto& mode) {
                           return mode.param == ReadMode::kMapped ? "Mapped" : "Pread";
                         });

TEST_P(ColdReadsTest, AGetReadsThePagesOfItsRecord) {
  if (!DropCaches()) {
    std::cout << "SKIPPED: " << path_ << " is on a file system that keeps all in memory\n";
    return;
  }
  Open();
  const Pages before = Count();
  std::string value;
  for (int i = 0; i < kGets; ++i) {
    const int key = i * (kKeys / kGets);
    ASSERT_TRUE(db_->Get(Key(key), &value).ok());
    ASSERT_EQ(value, Value(key));
  }
  // A record is in one page or two.
  EXPECT_LE(Count().cached, before.cached + 2 * kGets);
}

// A walk over everything in the keystore's order, which is not that of the log, does not wait for
// each page.
TEST_P(ColdReadsTest, AWalkReadsManyPagesAtOnce) {
  if (!DropCaches()) {
    std::cout << "SKIPPED: " << path_ << " is on a file system that keeps all in memory\n";
    return;
  }
  Open();
  auto iterator = db_->NewIterator();
  ASSERT_TRUE(iterator.ok()) << iterator.status();
  const auto walk = [&](int keys) {
    for (; keys > 0 && (*iterator)->Valid(); --keys) (*iterator)->Next();
  };
  walk(100);
  const uint64_t short_walk = Count().cached;
  walk(kKeys / 8);
  const Pages pages = Count();
  EXPECT_LT(short_walk, pages.all / 4);
  EXPECT_GT(pages.cached, pages.all * 3 / 4);
  EXPECT_TRUE((*iterator)->status().ok());
}

}  // namespace
}  // namespace rumcask
