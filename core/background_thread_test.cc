#include "core/background_thread.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "gtest/gtest.h"

namespace rumcask {
namespace {

// Whoever is woken all the time still does what is due. If it does not, this waits for ever.
TEST(BackgroundThreadTest, WakesDoNotPutOffWhatIsDue) {
  std::atomic<int> due{0};
  std::atomic<int> woken{0};
  BackgroundThread thread;
  thread.Start(std::chrono::milliseconds(5),
               [&](bool timed_out) { (timed_out ? due : woken).fetch_add(1); });
  while (due.load() < 5) {
    thread.Wake();
    std::this_thread::yield();
  }
  EXPECT_GT(woken.load(), 0);
  thread.Stop();
}

}  // namespace
}  // namespace rumcask
