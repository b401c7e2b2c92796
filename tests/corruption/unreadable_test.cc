// Every sector of every file of small databases, one at a time, can't be read by any call, ever; or
// it holds other bytes.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "tests/corruption/sample_database.h"
#include "tests/corruption/unreadable_judge.h"

namespace rumcask {
namespace {

constexpr uint64_t kSectorBytes = 512;
constexpr int kShownFailures = 12;

struct Sample {
  const char* name;
  std::function<SampleDatabase()> make;
};

void PrintTo(const Sample& sample, std::ostream* out) { *out << sample.name; }

class UnreadableTest : public testing::TestWithParam<Sample> {};

INSTANTIATE_TEST_SUITE_P(Samples, UnreadableTest,
                         testing::Values(Sample{"Sealed", SealedSample},
                                         Sample{"Closed", ClosedSample},
                                         Sample{"Killed", KilledSample}),
                         [](const auto& param) { return std::string(param.param.name); });

void JudgeAll(const Sample& param, bool other_bytes) {
  const SampleDatabase sample = param.make();
  int cases = 0, refused = 0, lossy = 0, violated = 0;
  for (const auto& [name, bytes] : sample.files) {
    for (uint64_t at = 0; at < bytes.size(); at += kSectorBytes) {
      // Each keystore with each way to read and to append.
      for (int modes = 0; modes < 8; ++modes) {
        UnreadableCase unreadable;
        unreadable.file = name;
        unreadable.begin = at;
        unreadable.end = std::min(at + kSectorBytes, uint64_t{bytes.size()});
        unreadable.other_bytes = other_bytes;
        unreadable.hash = (modes & 1) != 0;
        unreadable.read = (modes & 2) != 0 ? ReadMode::kMapped : ReadMode::kPread;
        unreadable.append = (modes & 4) != 0 ? AppendMode::kMapped : AppendMode::kWrite;
        UnreadableJudge judge(&sample, &unreadable);
        if (other_bytes && judge.MayBeTorn()) continue;
        const std::vector<std::string> violations = judge.Judge();
        ++cases;
        if (judge.refused()) ++refused;
        if (!judge.lost().empty()) ++lossy;
        if (!violations.empty() && ++violated <= kShownFailures) {
          ADD_FAILURE() << unreadable.ToString() << ": " << violations.front() << " (and "
                        << violations.size() - 1 << " more)";
        }
      }
    }
  }
  std::printf("%s: %d cases, %d refused for writing, %d with keys that can't be read, %d wrong\n",
              param.name, cases, refused, lossy, violated);
  EXPECT_EQ(violated, 0);
  EXPECT_LT(refused, cases / 2);
}

TEST_P(UnreadableTest, NothingButTheSectorIsLost) { JudgeAll(GetParam(), /*other_bytes=*/false); }

TEST_P(UnreadableTest, NothingButTheSectorIsLostIfItHoldsOtherBytes) {
  JudgeAll(GetParam(), /*other_bytes=*/true);
}

}  // namespace
}  // namespace rumcask
