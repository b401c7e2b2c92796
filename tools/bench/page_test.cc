// Tests the page of a report, in a browser if Chromium is installed.

#include "tools/bench/page.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"

#include "tools/bench/compare.h"
#include "tools/bench/db_bench.h"
#include "tools/bench/example_results.h"
#include "tools/bench/histogram.h"

namespace rumcask::bench {
namespace {

// Ends a script, if it is not escaped, and gives itself away if it runs.
constexpr char kHostile[] = "</script><script>errors.push('injected')</script><!--";

// The same with as many samples as it takes to tell that the speed was steady.
Result Sampled(Result result) {
  constexpr int kPoints = 30;
  for (Measurement& m : result.rounds) {
    for (int i = 1; i < kPoints; ++i) {
      m.timeline.Add(m.seconds * i / kPoints, m.operations * static_cast<uint64_t>(i) / kPoints);
    }
    m.timeline.End(0, m.seconds, m.operations);
  }
  return result;
}

Report Example(double slower) {
  Report report;
  report.command = absl::StrCat("rumcask bench --num=1000000 --db='/a long/path/", kHostile, "'");
  report.date = "2026-01-02 03:04:05 UTC";
  report.machine = {{"processor", "a fast one"}, {"memory", "enough"}};
  report.settings = {{"threads", "1"}, {"keys", "1,000,000 of 16 bytes"}};
  for (const char* const name : {"hash", "btree", "rumcask_lmdb", "rumcask_rocksdb", "rocksdb"}) {
    report.systems.push_back({name, "a library 1.0", "off", "mapped", "in the page cache"});
    report.results.push_back(
        Sampled(Rounds("fillrandom", name, {4 * slower, 4.1 * slower, 4.2 * slower})));
  }
  // Two points are nothing to draw.
  Result reads = Rounds("readrandom", "hash", {3, 3, 3});
  for (Measurement& m : reads.rounds) m.timeline = Timeline::FromPoints({{3, m.operations}});
  report.results.push_back(reads);
  Result failed = Rounds("readrandom", "btree", {3});
  failed.rounds[0].outcome = Measurement::Outcome::kFailed;
  failed.rounds[0].remark = kHostile;
  report.results.push_back(failed);
  Result opening = Rounds("open", "hash", {0.2, 0.3});
  for (Measurement& m : opening.rounds) m.single = true;
  report.results.push_back(opening);
  return report;
}

std::string ComparisonExample() {
  const Report before = Example(1);
  const Report after = Example(1.5);
  return AsPage(before, after, *Compare(before, after, 0.05), 0.05);
}

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(PageTest, FiguresDoNotEndTheirScript) {
  for (const std::string& page : {AsPage(Example(1)), ComparisonExample()}) {
    EXPECT_EQ(Count(page, "<script"), 3);
    EXPECT_EQ(Count(page, "</script>"), 3);
    EXPECT_EQ(Count(page, "<!--"), 0);
    EXPECT_TRUE(absl::StrContains(page, "\\u003c/script>\\u003cscript>errors.push"));
  }
}

TEST(PageTest, AllBenchmarksAreExplained) {
  const std::string page = AsPage(Report());
  std::vector<std::string> names = DbBenchNames();
  for (const char* const other : {"close", "load", "a", "b", "c", "d", "e", "f"}) {
    names.push_back(other);
  }
  for (const std::string& name : names) {
    EXPECT_TRUE(absl::StrContains(page, absl::StrCat("\n    ", name, ": '"))) << name;
  }
}

// What the page shows and what it does are told by the browser, which runs it and prints what has
// become of it.
class BrowserTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (std::system("command -v chromium >/dev/null") != 0) {
      std::printf("SKIPPED: there is no chromium\n");
      GTEST_SKIP();
    }
    if (!HasCharts()) {
      std::printf("SKIPPED: npm did not bring uPlot when this was built\n");
      GTEST_SKIP();
    }
  }
  static std::string Show(const std::string& page, int width, bool dark) {
    constexpr char kBefore[] =
        "<script>errors = []; onerror = (error) => { errors.push(error); };"
        "addEventListener('securitypolicyviolation', (e) => errors.push(e.blockedURI));"
        "console.error = console.warn = (text) => errors.push(text);</script>";
    constexpr char kAfter[] =
        "<script>addEventListener('load', () => setTimeout(() => {"
        "const facts = document.body.dataset; facts.errors = JSON.stringify(errors);"
        "facts.requests = performance.getEntriesByType('resource').length;"
        "facts.width = innerWidth;"
        "document.querySelectorAll('details').forEach((one) => { one.open = true; });"
        "const root = document.documentElement;"
        "facts.scrolls = root.scrollWidth > root.clientWidth;"
        "facts.mode = document.compatMode;"
        "facts.ground = getComputedStyle(document.body).backgroundColor;"
        "parent.postMessage(document.documentElement.outerHTML, '*');"
        "}, 500));</script>";
    // Chromium's own window is never as narrow as a telephone's.
    constexpr char kFrame[] =
        "<script>onmessage = (e) => { document.body.textContent = e.data; };</script>"
        "<body><iframe src=\"page.html\" style=\"border: 0; height: 900px; width: ";
    const std::string directory = testing::TempDir();
    const std::string path = absl::StrCat(directory, "/frame.html");
    // Not before the document's type, without which the page would be laid out in another way.
    std::ofstream(absl::StrCat(directory, "/page.html"))
        << absl::StrReplaceAll(page, {{"<title>", absl::StrCat(kBefore, "<title>")}}) << kAfter;
    std::ofstream(path) << kFrame << width << "px\"></iframe>";
    const std::string command =
        absl::StrCat("HOME=", directory,
                     " chromium --headless --no-sandbox --disable-gpu --user-data-dir=", directory,
                     "/chromium --disable-dev-shm-usage --window-size=1500,1000",
                     " --blink-settings=preferredColorScheme=", dark ? 0 : 1,
                     " --virtual-time-budget=5000 --dump-dom file://", path, " 2>/dev/null");
    FILE* const pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return "";
    std::string shown;
    char buffer[4096];
    for (size_t got; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
      shown.append(buffer, got);
    }
    EXPECT_EQ(::pclose(pipe), 0) << shown;
    // As text in the frame's own text.
    return absl::StrReplaceAll(shown, {{"&lt;", "<"}, {"&gt;", ">"}, {"&amp;", "&"}});
  }
  // Nothing of it depends on the figures.
  static void ExpectWell(const std::string& shown, int width, bool dark) {
    EXPECT_TRUE(absl::StrContains(shown, "data-errors=\"[]\"")) << shown;
    EXPECT_TRUE(absl::StrContains(shown, "data-mode=\"CSS1Compat\""));
    EXPECT_TRUE(absl::StrContains(shown, "data-requests=\"0\""));
    EXPECT_TRUE(absl::StrContains(shown, absl::StrCat("data-width=\"", width, "\"")));
    EXPECT_TRUE(absl::StrContains(shown, "data-scrolls=\"false\""));
    const bool is_light = absl::StrContains(shown, "data-ground=\"rgb(255, 255, 255)\"");
    EXPECT_EQ(is_light, !dark);
  }
};

INSTANTIATE_TEST_SUITE_P(Widths, BrowserTest, testing::Values(400, 1400));

TEST_P(BrowserTest, AReport) {
  for (const bool dark : {false, true}) {
    SCOPED_TRACE(dark);
    const std::string shown = Show(AsPage(Example(1)), GetParam(), dark);
    ExpectWell(shown, GetParam(), dark);
    // Of fillrandom two, of readrandom that of the latencies.
    EXPECT_EQ(Count(shown, "<canvas"), 3);
    EXPECT_TRUE(absl::StrContains(shown, "Too short for a chart over time: hash"));
    EXPECT_TRUE(absl::StrContains(shown, "Benchmark of hash, btree, rumcask_lmdb"));
    // The middle of the rounds, and the failed one.
    EXPECT_TRUE(absl::StrContains(shown, ">244 k/s<")) << shown;
    EXPECT_TRUE(absl::StrContains(shown, "238 k/s to 250 k/s"));
    EXPECT_TRUE(absl::StrContains(shown, "failed: &lt;/script&gt;"));
    EXPECT_TRUE(absl::StrContains(shown, "the speed was steady in the second half"));
  }
}

// What is wider than the screen is found.
TEST_P(BrowserTest, AWidePage) {
  const std::string page = absl::StrReplaceAll(
      AsPage(Example(1)), {{"</main>", "</main><div style=\"width: 1500px\">wide</div>"}});
  EXPECT_TRUE(absl::StrContains(Show(page, GetParam(), /*dark=*/false), "data-scrolls=\"true\""));
}

// Figures that are missing or zero, reports of an earlier release, and more stores than colours.
TEST_P(BrowserTest, OddFigures) {
  Report report = Example(1);
  for (Result& result : report.results) {
    for (Measurement& m : result.rounds) m.timeline = Timeline();
  }
  for (int i = 0; i < 12; ++i) {
    const std::string name = absl::StrCat("a_store_with_a_long_name_", i);
    report.systems.push_back({name, "a library 1.0", "off", "mapped", "in the page cache"});
    Result result = Rounds("overwrite", name, {4, 4});
    for (Measurement& m : result.rounds) {
      m.target = 1000;
      m.sustained = false;
      if (i == 0) m.operations = 0;
      if (i == 1) m.latency = Histogram();
      // Three quarters as fast at the end.
      std::vector<Timeline::Point> points;
      for (uint64_t point = 1; point <= 40; ++point) {
        points.push_back({0.1 * static_cast<double>(point),
                          1000 * (4 * std::min<uint64_t>(point, 30) +
                                  3 * (point - std::min<uint64_t>(point, 30)))});
      }
      m.timeline = Timeline::FromPoints(points);
    }
    report.results.push_back(result);
  }
  const std::string shown = Show(AsPage(report), GetParam(), /*dark=*/true);
  ExpectWell(shown, GetParam(), /*dark=*/true);
  EXPECT_TRUE(absl::StrContains(shown, "its speed over time was not recorded"));
  EXPECT_TRUE(absl::StrContains(shown, "not steady: in the last quarter of the time 25 % slower"));
  EXPECT_TRUE(absl::StrContains(shown, "target not sustained"));
  EXPECT_TRUE(absl::StrContains(shown, "Response time of calls"));
  for (const char* const nonsense : {">NaN", ">undefined", ">Infinity", " NaN", "-0 %"}) {
    EXPECT_FALSE(absl::StrContains(shown, nonsense)) << nonsense;
  }
}

TEST_P(BrowserTest, AComparison) {
  const std::string shown = Show(ComparisonExample(), GetParam(), /*dark=*/false);
  ExpectWell(shown, GetParam(), /*dark=*/false);
  EXPECT_TRUE(absl::StrContains(shown, "Two benchmark runs compared"));
  EXPECT_TRUE(absl::StrContains(shown, "hash, before"));
  EXPECT_TRUE(absl::StrContains(shown, "class=\"worse\">WORSE<"));
  EXPECT_TRUE(absl::StrContains(shown, "-33.3 %"));
  EXPECT_EQ(Count(shown, "<canvas"), 3);
}

}  // namespace
}  // namespace rumcask::bench
