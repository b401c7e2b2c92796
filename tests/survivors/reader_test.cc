// The reader that was written from FORMAT.md alone finds in databases with survivors what their
// history says.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "tests/format/run_reader.h"
#include "tests/survivors/layout.h"

namespace rumcask {
namespace {

TEST(SurvivorsReaderTest, EveryLayoutIsTheHistory) {
  if (!ReaderAvailable()) GTEST_SKIP() << "NOT TESTED: /usr/bin/python3 has no xxhash";
  const std::string root = absl::StrCat(testing::TempDir(), "/layouts.", ::getpid());
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const History history = MakeHistory(&random);
    const Layout layout = MakeLayout(history, history.segments.size(), /*retires=*/true, &random);
    std::filesystem::create_directories(root + "/db");
    for (const auto& [name, bytes] : layout.files) {
      std::ofstream(absl::StrCat(root, "/db/", name), std::ios::binary) << bytes;
    }
    const ReaderResult read = RunReader(root + "/db");
    EXPECT_EQ(read.exit_code, 0) << read.messages;
    EXPECT_EQ(read.content, layout.content);
    std::filesystem::remove_all(root);
  }
}

}  // namespace
}  // namespace rumcask
