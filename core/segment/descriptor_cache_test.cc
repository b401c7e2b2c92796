#include "core/segment/descriptor_cache.h"

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/format/format.h"
#include "core/system/file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

// The process's limit on descriptors, put back at the end.
class Limit {
 public:
  explicit Limit(rlim_t descriptors) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit now = before_;
    now.rlim_cur = descriptors;
    ::setrlimit(RLIMIT_NOFILE, &now);
  }
  ~Limit() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

size_t OpenDescriptors() {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    (void)entry;
    ++count;
  }
  return count - 1;  // the directory itself
}

// All that the limit leaves.
std::vector<int> TakeAllDescriptors() {
  std::vector<int> taken;
  for (int fd; (fd = ::dup(0)) >= 0;) taken.push_back(fd);
  return taken;
}

void CloseAll(const std::vector<int>& descriptors) {
  for (const int fd : descriptors) ::close(fd);
}

class DescriptorCacheTest : public testing::Test {
 protected:
  static constexpr int kFiles = 20;

  DescriptorCacheTest() : file_system_(PosixFileSystem()) {
    path_ = testing::TempDir() + "/descriptor_cache_test.XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
    for (int i = 0; i < kFiles; ++i) std::ofstream(path_ + "/" + Name(i)) << Content(i);
    std::ofstream(path_ + "/MANIFEST") << "manifest";
    directory_ = *file_system_.OpenDirectory(path_);
  }
  ~DescriptorCacheTest() override { std::filesystem::remove_all(path_); }

  static std::string Name(int i) { return absl::StrCat("file", i); }
  static std::string Content(int i) { return absl::StrCat("content of ", 100 + i); }

  void Make(size_t limit) {
    cache_ = std::make_shared<DescriptorCache>(directory_.get(), limit);
    directory_->SetDescriptorSource(
        [cache = cache_](std::string_view name) { return cache->GiveUp(name); });
    for (int i = 0; i < kFiles; ++i) {
      files_.push_back(std::make_unique<CachedFile>(cache_, Name(i)));
    }
  }

  absl::Status Read(int i) {
    std::string buffer(Content(i).size(), '?');
    absl::Status status = files_[static_cast<size_t>(i)]->Read(0, buffer.data(), buffer.size());
    if (status.ok() && buffer != Content(i)) return absl::DataLossError(buffer);
    return status;
  }

  std::string path_;
  FaultFileSystem file_system_;
  std::unique_ptr<Directory> directory_;
  std::shared_ptr<DescriptorCache> cache_;
  std::vector<std::unique_ptr<CachedFile>> files_;
};

TEST_F(DescriptorCacheTest, NoMoreAreOpenThanTheLimit) {
  Make(4);
  const size_t before = OpenDescriptors();
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kFiles; ++i) {
      EXPECT_TRUE(Read(i).ok());
      EXPECT_LE(cache_->count(), 4u);
      EXPECT_EQ(OpenDescriptors(), before + cache_->count());
    }
  }
  EXPECT_EQ(cache_->count(), 4u);
  cache_->CloseIdle();
  EXPECT_EQ(OpenDescriptors(), before);
  EXPECT_TRUE(Read(0).ok());
  EXPECT_EQ(cache_->count(), 1u);
}

TEST_F(DescriptorCacheTest, AFileThatGoesIsClosed) {
  Make(4);
  const size_t before = OpenDescriptors();
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(Read(i).ok());
  files_[1].reset();
  files_[19].reset();
  EXPECT_EQ(cache_->count(), 3u);
  EXPECT_EQ(OpenDescriptors(), before + 3);
  for (int i = 2; i < 10; ++i) EXPECT_TRUE(Read(i).ok());
  files_.clear();
  EXPECT_EQ(cache_->count(), 0u);
  EXPECT_EQ(OpenDescriptors(), before);
}

// Whatever is read again and again stays open while others come and go.
TEST_F(DescriptorCacheTest, WhatIsUsedStaysOpen) {
  Make(4);
  EXPECT_TRUE(Read(0).ok());
  FaultPlan plan;
  plan.matches = [](const Call& call) {
    return call.kind == CallKind::kOpen && absl::EndsWith(call.name, "/file0");
  };
  file_system_.SetPlan(plan);
  for (int round = 0; round < 5; ++round) {
    for (int i = 1; i < kFiles; ++i) {
      EXPECT_TRUE(Read(i).ok());
      EXPECT_TRUE(Read(0).ok());
    }
  }
  EXPECT_EQ(file_system_.call_count(), 0u);
}

// Stops reads of some files until it is let go of.
class Stopper {
 public:
  explicit Stopper(FaultFileSystem* file_system) : file_system_(file_system) {
    file_system->SetHook([this](const Call& call) {
      if (call.kind != CallKind::kRead) return;
      std::unique_lock<std::mutex> lock(mutex_);
      ++stopped_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return go_ > 0; });
      --go_;
    });
  }
  ~Stopper() {
    file_system_->SetHook([](const Call&) {});
  }
  void AwaitStopped(int count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ >= count; });
  }
  int stopped() {
    std::unique_lock<std::mutex> lock(mutex_);
    return stopped_;
  }
  void LetGo(int count) {
    std::unique_lock<std::mutex> lock(mutex_);
    go_ += count;
    changed_.notify_all();
  }

 private:
  FaultFileSystem* const file_system_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int stopped_ = 0;
  int go_ = 0;
};

// Files in use count, are not closed under their readers, and who needs one more waits for one.
TEST_F(DescriptorCacheTest, ReadersWaitForADescriptorThatIsInUse) {
  Make(2);
  const size_t before = OpenDescriptors();
  Stopper stopper(&file_system_);
  std::atomic<int> read{0};
  std::vector<std::thread> readers;
  const auto start = [&](int i) {
    readers.emplace_back([&, i] {
      const absl::Status status = Read(i);
      EXPECT_TRUE(status.ok()) << status;
      ++read;
    });
  };
  start(0);
  start(1);
  stopper.AwaitStopped(2);
  start(0);  // needs none of its own
  stopper.AwaitStopped(3);
  for (int i = 2; i < 6; ++i) start(i);
  // However long one looks, none of them begins to read.
  for (int i = 0; i < 50; ++i) std::this_thread::yield();
  EXPECT_EQ(stopper.stopped(), 3);
  EXPECT_EQ(cache_->count(), 2u);
  EXPECT_EQ(OpenDescriptors(), before + 2);
  EXPECT_FALSE(cache_->GiveUp("another")) << "in use";
  for (int i = 0; i < 7; ++i) {
    stopper.LetGo(1);
    while (read.load() <= i) std::this_thread::yield();
    EXPECT_LE(cache_->count(), 2u);
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(OpenDescriptors(), before + cache_->count());
}

TEST_F(DescriptorCacheTest, ManyReadersBesideEachOther) {
  Make(3);
  const size_t before = OpenDescriptors();
  std::vector<std::thread> readers;
  for (int t = 0; t < 6; ++t) {
    readers.emplace_back([this, t] {
      for (int i = 0; i < 4000; ++i) {
        const int file = (i * (t + 1) + t) % kFiles;
        const absl::Status status = Read(file);
        ASSERT_TRUE(status.ok()) << status;
        if (i % 100 == 0) {
          ASSERT_LE(cache_->count(), 3u);
        }
        if (i % 500 == 0 && t == 0) (void)cache_->GiveUp("another");
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_LE(cache_->count(), 3u);
  EXPECT_EQ(OpenDescriptors(), before + cache_->count());
}

TEST_F(DescriptorCacheTest, AFileThatCannotBeOpenedLeavesNothingBehind) {
  Make(2);
  EXPECT_TRUE(Read(0).ok());
  CachedFile missing(cache_, "missing");
  char byte;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(absl::IsNotFound(missing.Read(0, &byte, 1)));
  EXPECT_LE(cache_->count(), 1u);
  for (int i = 0; i < kFiles; ++i) EXPECT_TRUE(Read(i).ok());
  // Errors of reading, too.
  FaultPlan plan;
  plan.call = 1;
  plan.matches = [](const Call& call) { return call.kind == CallKind::kRead; };
  file_system_.SetPlan(plan);
  EXPECT_FALSE(Read(3).ok());
  file_system_.SetPlan(FaultPlan());
  EXPECT_TRUE(Read(3).ok());
  EXPECT_EQ(cache_->count(), 2u);
}

// ---- where the system has no more descriptors ----

TEST_F(DescriptorCacheTest, OneDescriptorServesAllReads) {
  // Of the real file system, whose errors are the system's own.
  directory_ = *PosixFileSystem()->OpenDirectory(path_);
  Make(8);
  EXPECT_TRUE(Read(0).ok());
  const Limit limit(OpenDescriptors() + 10);
  const std::vector<int> taken = TakeAllDescriptors();
  for (int i = 0; i < kFiles; ++i) EXPECT_TRUE(Read(i).ok()) << i;
  EXPECT_EQ(cache_->count(), 1u);
  // Those who open something else get it too.
  EXPECT_TRUE(directory_->Open("file3", OpenMode::kReadOnly).ok());
  CloseAll(taken);
}

TEST_F(DescriptorCacheTest, WithoutADescriptorReadsSayWhy) {
  directory_ = *PosixFileSystem()->OpenDirectory(path_);
  Make(8);
  const Limit limit(OpenDescriptors() + 10);
  const std::vector<int> taken = TakeAllDescriptors();
  EXPECT_TRUE(absl::IsResourceExhausted(Read(0)));
  EXPECT_TRUE(absl::IsResourceExhausted(cache_->Reserve()));
  EXPECT_EQ(cache_->count(), 0u);
  CloseAll(taken);
  EXPECT_TRUE(Read(0).ok());
}

TEST_F(DescriptorCacheTest, TheReserveIsForManifest) {
  directory_ = *PosixFileSystem()->OpenDirectory(path_);
  Make(8);
  ASSERT_TRUE(cache_->Reserve().ok());
  ASSERT_TRUE(cache_->Reserve().ok());
  EXPECT_EQ(cache_->count(), 0u);
  const Limit limit(OpenDescriptors() + 10);
  const std::vector<int> taken = TakeAllDescriptors();
  EXPECT_TRUE(absl::IsResourceExhausted(Read(0))) << "not for reads";
  EXPECT_TRUE(
      absl::IsResourceExhausted(directory_->Open("other", OpenMode::kCreateOrKeep).status()));
  EXPECT_TRUE(directory_->Open(kManifestNextName, OpenMode::kCreateOrReplace).ok());
  EXPECT_TRUE(cache_->Reserve().ok()) << "is taken again";
  EXPECT_TRUE(directory_->Open(kManifestNextName, OpenMode::kCreateOrReplace).ok());
  CloseAll(taken);
}

}  // namespace
}  // namespace rumcask
