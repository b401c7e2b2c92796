#include "core/system/background_thread.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "gtest/gtest.h"

namespace rumcask {
namespace {

// A thread that is woken all the time still does what is due. If it did not, this test would wait
// for ever.
TEST(BackgroundThreadTest, WakesDoNotPutOffWhatIsDue) {
  std::atomic<int> due{0};
  std::atomic<int> woken{0};
  BackgroundThread thread;
  ASSERT_TRUE(thread
                  .Start(std::chrono::milliseconds(5),
                         [&](bool timed_out) { (timed_out ? due : woken).fetch_add(1); })
                  .ok());
  while (due.load() < 5) {
    thread.Wake();
    std::this_thread::yield();
  }
  EXPECT_GT(woken.load(), 0);
  thread.Stop();
}

// A process at its limit of threads gets an error and lives on.
TEST(BackgroundThreadTest, NoMoreThreads) {
  pthread_attr_t usual;
  ASSERT_EQ(::pthread_getattr_default_np(&usual), 0);
  // No thread's stack fits into the address space.
  pthread_attr_t greedy = usual;
  ASSERT_EQ(::pthread_attr_setstacksize(&greedy, size_t{1} << 50), 0);
  ASSERT_EQ(::pthread_setattr_default_np(&greedy), 0);
  BackgroundThread thread;
  const absl::Status status = thread.Start(std::chrono::milliseconds(0), [](bool) {});
  ASSERT_EQ(::pthread_setattr_default_np(&usual), 0);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_TRUE(thread.Start(std::chrono::milliseconds(0), [](bool) {}).ok());
}

}  // namespace
}  // namespace rumcask
