#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"

#include "tools/cli/figures.h"
#include "tools/cli/progress.h"
#include "tools/cli/suggestion.h"
#include "tools/cli/wrapped.h"

namespace rumcask::cli {
namespace {

TEST(Figures, AreEasyToRead) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
  EXPECT_EQ(FormatCount(1, "key"), "1 key");
  EXPECT_EQ(FormatCount(0, "key"), "0 keys");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1024), "1.0 KiB");
  EXPECT_EQ(FormatBytes(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(FormatBytes(uint64_t{5} << 29), "2.5 GiB");
  EXPECT_EQ(FormatBytes(~uint64_t{0}), "16.0 EiB");
  EXPECT_EQ(FormatShare(1, 8), "12.5 %");
  EXPECT_EQ(FormatShare(0, 0), "-");
  EXPECT_EQ(FormatSeconds(7), "0:07");
  EXPECT_EQ(FormatSeconds(3753), "1:02:33");
}

TEST(ProgressLine, TellsWhatIsLeftIfTheTotalIsKnown) {
  EXPECT_EQ(ProgressLine("load", 1200000, 40, 100, 8),
            "load: 1,200,000 records, 40.0 %, 0:12 left");
  EXPECT_EQ(ProgressLine("load", 3, 40, 0, 8), "load: 3 records");
  EXPECT_EQ(ProgressLine("load", 1, 40, 0, 8), "load: 1 record");
  EXPECT_EQ(ProgressLine("dump", 101, 101, 100, 8), "dump: 101 records");
}

TEST(Suggestion, DistanceCountsSlipsOfTheFinger) {
  EXPECT_EQ(EditDistance("scan", "scan"), 0u);
  EXPECT_EQ(EditDistance("scna", "scan"), 1u);
  EXPECT_EQ(EditDistance("sca", "scan"), 1u);
  EXPECT_EQ(EditDistance("", "scan"), 4u);
  EXPECT_EQ(EditDistance("delte", "delete"), 1u);
}

TEST(Suggestion, OnlyOfWhatIsClose) {
  const std::vector<std::string_view> verbs = {"put", "get", "scan", "stats", "delete"};
  EXPECT_EQ(MostSimilar("scn", verbs), "scan");
  EXPECT_EQ(MostSimilar("pur", verbs), "put");
  EXPECT_EQ(MostSimilar("stat", verbs), "stats");
  EXPECT_EQ(MostSimilar("compact", verbs), std::nullopt);
  EXPECT_EQ(MostSimilar("x", verbs), std::nullopt);
}

TEST(Suggestion, AlsoOfWhatIsAbbreviated) {
  const std::vector<std::string_view> flags = {"--keystore", "--keys-only", "--version"};
  EXPECT_EQ(MostSimilar("--keys", flags), "--keys-only") << "a whole word of it";
  EXPECT_EQ(MostSimilar("--key", flags), std::nullopt) << "two begin so";
  EXPECT_EQ(MostSimilar("--keyst", flags), "--keystore");
  EXPECT_EQ(MostSimilar("-v", flags), "--version");
  EXPECT_EQ(MostSimilar("--", flags), std::nullopt);
  EXPECT_EQ(MostSimilar("", flags), std::nullopt);
}

TEST(Wrapped, BreaksBetweenWords) {
  EXPECT_EQ(Wrapped("short", 4), "short");
  EXPECT_EQ(Wrapped("", 4), "");
  const std::string word(30, 'w');
  EXPECT_EQ(Wrapped(word + " " + word + " " + word, 4), word + " " + word + "\n    " + word);
  // Exactly as wide as a terminal.
  const std::string half(40, 'h');
  EXPECT_EQ(Wrapped(half + " " + std::string(39, 'h'), 2), half + " " + std::string(39, 'h'));
  EXPECT_EQ(Wrapped(half + " " + half, 2), half + "\n  " + half);
  // Columns stay where they are, as does the indentation of the first line.
  EXPECT_EQ(Wrapped("  name      " + half + " " + half, 12),
            "  name      " + half + "\n            " + half);
  // A word that is wider than the terminal is not broken.
  const std::string path(100, 'p');
  EXPECT_EQ(Wrapped("see " + path + " there", 2), "see\n  " + path + "\n  there");
}

}  // namespace
}  // namespace rumcask::cli
