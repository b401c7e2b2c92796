#include "core/system/mutex.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace rumcask {
namespace {

template <typename Lockable>
class SharedLockTest : public testing::Test {};

using Lockables = testing::Types<SharedMutex, ReadMostlyMutex>;
TYPED_TEST_SUITE(SharedLockTest, Lockables);

// There are more threads than processors, so that some of them sleep while they wait. The counters
// are not atomic: under ThreadSanitizer this shows that the lock orders what it guards.
TYPED_TEST(SharedLockTest, KeepsReadersAndWritersApart) {
  constexpr int kWriters = 4;
  constexpr int kReaders = 20;
  constexpr int kTimes = 2000;
  TypeParam mutex;
  uint64_t a = 0;
  uint64_t b = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kWriters; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kTimes; ++i) {
        ExclusiveLock lock(mutex);
        ++a;
        if (i % 256 == 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
        ++b;
      }
    });
  }
  std::atomic<int> wrong{0};
  for (int t = 0; t < kReaders; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kTimes; ++i) {
        SharedLock lock(mutex);
        if (a != b) ++wrong;
        if (i % 256 == 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
        if (a != b) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(a, uint64_t{kWriters} * kTimes);
  EXPECT_EQ(b, a);
}

TYPED_TEST(SharedLockTest, ReadersShare) {
  TypeParam mutex;
  SharedLock lock(mutex);
  std::atomic<bool> inside{false};
  std::thread other([&] {
    SharedLock other_lock(mutex);
    inside = true;
  });
  other.join();
  EXPECT_TRUE(inside);
}

// There are always readers inside. A lock that let them in past a waiting writer would keep the
// writer out for ever.
TYPED_TEST(SharedLockTest, AWriterIsNotKeptOut) {
  TypeParam mutex;
  std::atomic<bool> written{false};
  std::atomic<int> inside{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      while (!written) {
        SharedLock lock(mutex);
        ++inside;
        // Waits until the other reader is inside as well, or until a waiting writer keeps it out.
        for (int i = 0; inside < 2 && i < 1000 && !written; ++i) std::this_thread::yield();
        --inside;
      }
    });
  }
  for (int i = 0; i < 100; ++i) ExclusiveLock lock(mutex);
  written = true;
  for (std::thread& reader : readers) reader.join();
}

// A waiter that has gone to sleep is woken, whether it waits for readers or for a writer.
TYPED_TEST(SharedLockTest, SleepersAreWoken) {
  const auto pause = [] { std::this_thread::sleep_for(std::chrono::milliseconds(5)); };
  for (int i = 0; i < 10; ++i) {
    TypeParam mutex;
    mutex.Lock();
    std::thread reader([&] { SharedLock lock(mutex); });
    std::thread writer([&] { ExclusiveLock lock(mutex); });
    pause();
    mutex.Unlock();
    reader.join();
    writer.join();
    mutex.LockShared();
    std::thread late_writer([&] { ExclusiveLock lock(mutex); });
    pause();
    std::thread late_reader([&] { SharedLock lock(mutex); });
    pause();
    mutex.UnlockShared();
    late_writer.join();
    late_reader.join();
  }
}

TYPED_TEST(SharedLockTest, WaitsAreCounted) {
  TypeParam mutex;
  const LockWaits before = ThreadLockWaits();
  { SharedLock lock(mutex); }
  { ExclusiveLock lock(mutex); }
  EXPECT_EQ(ThreadLockWaits().count, before.count);
  std::atomic<bool> held{false};
  std::thread holder([&] {
    ExclusiveLock lock(mutex);
    held = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  });
  while (!held) std::this_thread::yield();
  { SharedLock lock(mutex); }
  holder.join();
  // The holder may have left by the time this thread comes to the lock.
  EXPECT_LE(ThreadLockWaits().count, before.count + 2);
  if (ThreadLockWaits().count > before.count) {
    EXPECT_GT(ThreadLockWaits().nanoseconds, before.nanoseconds);
  }
}

TEST(MutexTest, KeepsThreadsApart) {
  Mutex mutex;
  uint64_t count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        MutexLock lock(mutex);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 16000u);
}

}  // namespace
}  // namespace rumcask
