#include "core/system/reader_epoch.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#include "core/system/mutex.h"

namespace rumcask {
namespace {

// A thread that is in a ReaderScope from its construction until Leave.
class Reader {
 public:
  Reader() : thread_([this] { Run(); }) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return inside_; });
  }
  void Leave() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      leaves_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  void Run() {
    const ReaderScope reading;
    std::unique_lock<std::mutex> lock(mutex_);
    inside_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return leaves_; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool inside_ = false;
  bool leaves_ = false;
  std::thread thread_;
};

TEST(ReaderEpochTest, ReadersThatBeganBeforeAreWaitedFor) {
  Reader early;
  const uint64_t epoch = ReaderEpoch::Begin();
  EXPECT_FALSE(ReaderEpoch::HasPassed(epoch));
  Reader late;
  early.Leave();
  EXPECT_TRUE(ReaderEpoch::HasPassed(epoch));
  EXPECT_FALSE(ReaderEpoch::HasPassed(ReaderEpoch::Begin()));
  late.Leave();
  EXPECT_TRUE(ReaderEpoch::HasPassed(ReaderEpoch::Begin()));
}

TEST(ReaderEpochTest, TheOutermostScopeCounts) {
  EXPECT_FALSE(ReaderEpoch::IsReading());
  uint64_t epoch = 0;
  {
    const ReaderScope outer;
    epoch = ReaderEpoch::Begin();
    {
      const ReaderScope inner;
      EXPECT_TRUE(ReaderEpoch::IsReading());
    }
    EXPECT_TRUE(ReaderEpoch::IsReading());
    EXPECT_FALSE(ReaderEpoch::HasPassed(epoch));
  }
  EXPECT_FALSE(ReaderEpoch::IsReading());
  EXPECT_TRUE(ReaderEpoch::HasPassed(epoch));
}

TEST(ReaderEpochTest, ReadingWhileTheThreadEnds) {
  // Thread-local objects and keys of the C library are destroyed in this order.
  struct ReadsAtTheEnd {
    ~ReadsAtTheEnd() { const ReaderScope reading; }
  };
  pthread_key_t key;
  ASSERT_EQ(::pthread_key_create(&key, [](void* /*unused*/) { const ReaderScope reading; }), 0);
  for (int i = 0; i < 100; ++i) {
    std::thread([key] {
      thread_local ReadsAtTheEnd at_the_end;
      (void)at_the_end;
      ::pthread_setspecific(key, &at_the_end);
      const ReaderScope reading;
    }).join();
  }
  EXPECT_TRUE(ReaderEpoch::HasPassed(ReaderEpoch::Begin()));
  ::pthread_key_delete(key);
}

TEST(ReaderEpochTest, A35_AForkedChildDoesNotWaitForThreadsOfItsParent) {
  Reader reader;
  const pid_t child = ::fork();
  if (child == 0) {
    const uint64_t epoch = ReaderEpoch::Begin();
    ::_exit(ReaderEpoch::HasPassed(epoch) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_FALSE(ReaderEpoch::HasPassed(ReaderEpoch::Begin()));
  reader.Leave();
}

// Readers look a pointer up under a lock and use what it points to without. One thread replaces it
// and frees the old object once its readers have gone. A sanitizer tells if that is too early.
TEST(ReaderEpochTest, WhatIsFreedIsNotInUse) {
  struct Object {
    uint64_t first = 1;
    uint64_t second = 1;
  };
  SharedMutex mutex;
  Object* current = new Object;
  std::atomic<bool> done{false};
  std::atomic<uint64_t> reads{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!done.load(std::memory_order_relaxed)) {
        const ReaderScope reading;
        const Object* seen;
        {
          SharedLock<SharedMutex> lock(mutex);
          seen = current;
        }
        ASSERT_EQ(seen->first, seen->second);
        ASSERT_NE(seen->first, 0u);
        reads.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  for (uint64_t i = 2; i < 2000 || reads.load() < 2000; ++i) {
    Object* next = new Object{i, i};
    Object* old;
    {
      ExclusiveLock<SharedMutex> lock(mutex);
      old = current;
      current = next;
    }
    const uint64_t epoch = ReaderEpoch::Begin();
    while (!ReaderEpoch::HasPassed(epoch)) std::this_thread::yield();
    old->first = old->second = 0;
    delete old;
  }
  done.store(true);
  for (std::thread& reader : readers) reader.join();
  delete current;
}

}  // namespace
}  // namespace rumcask
