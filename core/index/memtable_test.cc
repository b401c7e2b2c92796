#include "core/index/memtable.h"

#include <sys/resource.h>

#include <cstdint>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace rumcask {
namespace {

TEST(KeyFilterTest, HasEveryKeyThatWasAddedAndFewOthers) {
  for (const uint64_t bits : {uint64_t{1}, uint64_t{1} << 20, UINT64_MAX}) {
    SCOPED_TRACE(bits);
    KeyFilter filter(bits);
    std::mt19937_64 random(1);
    std::vector<uint64_t> added;
    for (int i = 0; i < 3000; ++i) added.push_back(random());
    for (const uint64_t digest : added) filter.Add(digest);
    for (const uint64_t digest : added) ASSERT_TRUE(filter.MayHave(digest));
    int others = 0;
    for (int i = 0; i < 3000; ++i) others += filter.MayHave(random());
    EXPECT_LT(others, 300);
  }
}

int64_t PageFaults() {
  rusage usage = {};
  EXPECT_EQ(getrusage(RUSAGE_THREAD, &usage), 0);
  return usage.ru_minflt;
}

// A fresh one is made under the write lock.
TEST(KeyFilterTest, OneForALargeBufferTouchesNoMemoryAtFirst) {
  const int64_t before = PageFaults();
  const KeyFilter filter(UINT64_MAX);
  EXPECT_LE(PageFaults() - before, 16);
}

}  // namespace
}  // namespace rumcask
