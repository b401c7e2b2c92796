// Runs the commands in the transcripts beside this file and compares their output.
//
// A transcript is a Markdown text. In its indented blocks
//
//     $ rumcask get db nothing
//     > more of the command
//     a line on standard output
//     ! a line on standard error
//     [2]
//
// a command is followed by everything it prints and by its exit code, if that is not 0. In a line
// that ends with " (glob)", a * stands for any text. "(no newline)" means that the output lacks its
// last newline, and "(empty line)" is an empty line. The commands of a file run one after the other
// with sh, in one new directory. "? COMMAND" skips the rest of the file, with a message, if the
// command fails.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace rumcask {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIndent = "    ";

// A command and the lines that follow it.
struct Step {
  size_t line_number = 0;
  std::string command;
  bool is_condition = false;
  std::vector<std::string> expected;
};

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool ConsumePrefix(std::string_view* text, std::string_view prefix) {
  if (text->substr(0, prefix.size()) != prefix) return false;
  text->remove_prefix(prefix.size());
  return true;
}

// In the form that a transcript has.
std::vector<std::string> OutputLines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t newline = text.find('\n');
    lines.emplace_back(newline == 0 ? "(empty line)" : text.substr(0, newline));
    if (newline == std::string_view::npos) {
      lines.emplace_back("(no newline)");
      break;
    }
    text.remove_prefix(newline + 1);
  }
  return lines;
}

std::vector<Step> ParseTranscript(const fs::path& path) {
  std::vector<Step> steps;
  size_t line_number = 0;
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  for (std::string whole_line; std::getline(file, whole_line);) {
    ++line_number;
    std::string_view line = whole_line;
    if (!ConsumePrefix(&line, kIndent)) continue;
    if (ConsumePrefix(&line, "$ ")) {
      steps.push_back({line_number, std::string(line), false, {}});
    } else if (ConsumePrefix(&line, "? ")) {
      steps.push_back({line_number, std::string(line), true, {}});
    } else if (steps.empty()) {
      ADD_FAILURE() << path << ":" << line_number << ": no command yet";
    } else if (ConsumePrefix(&line, "> ")) {
      steps.back().command.append("\n").append(line);
    } else {
      steps.back().expected.emplace_back(line);
    }
  }
  return steps;
}

bool MatchesGlob(std::string_view text, std::string_view pattern) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return text == pattern;
  if (!ConsumePrefix(&text, pattern.substr(0, star))) return false;
  pattern.remove_prefix(star + 1);
  for (size_t begin = 0; begin <= text.size(); ++begin) {
    if (MatchesGlob(text.substr(begin), pattern)) return true;
  }
  return false;
}

bool Matches(std::string_view line, std::string_view expected) {
  constexpr std::string_view kGlob = " (glob)";
  if (expected.size() < kGlob.size() || expected.substr(expected.size() - kGlob.size()) != kGlob) {
    return line == expected;
  }
  expected.remove_suffix(kGlob.size());
  return MatchesGlob(line, expected);
}

// A new directory, with the tool in PATH.
class Shell {
 public:
  Shell() {
    std::string name = (fs::path(testing::TempDir()) / "transcript.XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    directory_ = name;
    fs::create_directory(directory_ / "work");
    fs::create_directory(directory_ / "bin");
    fs::create_symlink(fs::absolute("tools/rumcask"), directory_ / "bin" / "rumcask");
  }
  ~Shell() { fs::remove_all(directory_); }
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  // What a transcript would contain.
  std::vector<std::string> Run(const std::string& command) const {
    std::ofstream(directory_ / "command") << command << "\n";
    const std::string directory = directory_.string();
    const int status = std::system(("cd " + directory + "/work && PATH=" + directory +
                                    "/bin:$PATH sh ../command " + "</dev/null >../out 2>../err")
                                       .c_str());
    std::vector<std::string> lines = OutputLines(ReadFile(directory_ / "out"));
    for (const std::string& line : OutputLines(ReadFile(directory_ / "err"))) {
      lines.push_back("! " + line);
    }
    if (!WIFEXITED(status)) {
      lines.emplace_back("[killed]");
    } else if (WEXITSTATUS(status) != 0) {
      lines.push_back("[" + std::to_string(WEXITSTATUS(status)) + "]");
    }
    return lines;
  }

 private:
  fs::path directory_;
};

fs::path TranscriptDirectory() { return "tests/cli"; }

std::vector<std::string> TranscriptNames() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(TranscriptDirectory())) {
    if (entry.path().extension() == ".md") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class TranscriptTest : public testing::TestWithParam<std::string> {};

TEST_P(TranscriptTest, HappensAsWritten) {
  const fs::path path = TranscriptDirectory() / (GetParam() + ".md");
  const Shell shell;
  for (const Step& step : ParseTranscript(path)) {
    const std::vector<std::string> lines = shell.Run(step.command);
    if (step.is_condition) {
      if (!lines.empty() && lines.back().front() == '[') {
        GTEST_SKIP() << path << ":" << step.line_number
                     << ": SKIPPED from here, because this fails: " << step.command;
      }
      continue;
    }
    std::string actual;
    for (const std::string& line : lines) actual.append(kIndent).append(line).append("\n");
    EXPECT_TRUE(
        std::equal(lines.begin(), lines.end(), step.expected.begin(), step.expected.end(), Matches))
        << path.string() << ":" << step.line_number << ": what happened is\n"
        << kIndent << "$ " << step.command << "\n"
        << actual;
  }
}

INSTANTIATE_TEST_SUITE_P(All, TranscriptTest, testing::ValuesIn(TranscriptNames()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace rumcask
