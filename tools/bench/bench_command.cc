#include "tools/bench/bench_command.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "tools/bench/bench_options.h"
#include "tools/bench/compare.h"
#include "tools/bench/json_report.h"
#include "tools/bench/machine.h"
#include "tools/bench/page.h"
#include "tools/bench/schedule.h"
#include "tools/bench/store_files.h"
#include "tools/bench/table.h"
#include "tools/bench/yardsticks.h"
#include "tools/cli/command_line.h"
#include "tools/cli/file_content.h"
#include "tools/cli/output.h"
#include "tools/cli/printable.h"
#include "tools/cli/suggestion.h"

namespace rumcask::bench {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitError = 1;
constexpr int kExitUsage = 64;

constexpr char kDescription[] =
    "Measures rumcask and other stores side by side. 'compare BEFORE AFTER' compares two results "
    "of --format=json.";

int Fail(std::string_view program, int exit_code, std::string_view message) {
  absl::FPrintF(stderr, "rumcask: %s\n", cli::Printable(message));
  if (exit_code == kExitUsage) absl::FPrintF(stderr, "Try '%s --help'.\n", program);
  return exit_code;
}

int PrintOrFail(std::string_view program, std::string_view text, int exit_code) {
  const absl::Status status = cli::Print(text);
  if (status.ok()) return exit_code;
  return Fail(program, kExitError, std::string(status.message()));
}

// Parses the arguments, and calls `body` if nothing else, such as printing help, was requested.
int Parsed(cli::CommandLine* line, std::string_view program,
           const std::vector<std::string>& arguments, const std::function<int()>& body) {
  std::string text;
  switch (line->Parse(program, arguments, &text)) {
    case cli::CommandLine::Outcome::kParsed:
      return body();
    case cli::CommandLine::Outcome::kHelp:
      return PrintOrFail(program, text, kExitOk);
    case cli::CommandLine::Outcome::kWrong:
      break;
  }
  return Fail(program, kExitUsage, text);
}

// The command line in a form that could be typed again.
std::string CommandText(std::string_view program, const std::vector<std::string>& arguments) {
  std::string text(program);
  for (const std::string& argument : arguments) {
    const bool plain = !argument.empty() &&
                       argument.find_first_of(" \t\n'\"\\$*?[]{}()<>|&;~`!#") == std::string::npos;
    if (plain) {
      absl::StrAppend(&text, " ", argument);
      continue;
    }
    std::string quoted;
    for (const char c : argument) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    absl::StrAppend(&text, " '", quoted, "'");
  }
  return text;
}

absl::StatusOr<Report> ReadReport(const std::string& path) {
  const absl::StatusOr<std::string> text = cli::FileContent(path);
  if (!text.ok()) return text.status();
  absl::StatusOr<Report> report = ReportFromJson(*text);
  if (report.ok()) return report;
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", report.status().message()));
}

// A file for a page. It is opened before a benchmark runs, so that a wrong path costs no time.
class PageFile {
 public:
  // Does nothing if `path` is empty. Keeps what is in the file until there is a page.
  absl::Status Open(const std::string& path) {
    path_ = path;
    if (path.empty()) return absl::OkStatus();
    file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return file_ >= 0 ? absl::OkStatus() : Error(errno);
  }
  ~PageFile() {
    if (file_ >= 0) ::close(file_);
  }
  PageFile() = default;
  PageFile(const PageFile&) = delete;
  PageFile& operator=(const PageFile&) = delete;

  bool wanted() const { return file_ >= 0; }
  absl::Status Write(std::string_view page) {
    // A pipe or a terminal has no length.
    if (::ftruncate(file_, 0) != 0 && errno != EINVAL) return Error(errno);
    cli::Output output(file_, path_);
    output.Append(page);
    return output.Flush();
  }

 private:
  absl::Status Error(int error) const {
    return absl::InternalError(absl::StrCat("cannot write ", path_, ": ", std::strerror(error)));
  }

  std::string path_;
  int file_ = -1;
};

int RunCompare(std::string_view program, const std::vector<std::string>& arguments) {
  cli::CommandLine line("Tells what became slower or faster beyond the noise of the rounds.");
  std::string before_path;
  std::string after_path;
  std::string page_path;
  double threshold = 5;
  line.Argument("BEFORE", &before_path, "Result of --format=json");
  line.Argument("AFTER", &after_path, "Another one, of the same work");
  line.Option("--threshold", "PERCENT", &threshold,
              "Changes up to this are noise, whatever the rounds say; default 5");
  line.Option("--report", "FILE", &page_path,
              "Write a page with charts for a browser, too; it needs no network");
  return Parsed(&line, program, arguments, [&] {
    const absl::StatusOr<Report> before = ReadReport(before_path);
    if (!before.ok()) return Fail(program, kExitError, std::string(before.status().message()));
    const absl::StatusOr<Report> after = ReadReport(after_path);
    if (!after.ok()) return Fail(program, kExitError, std::string(after.status().message()));
    const absl::StatusOr<std::vector<Comparison>> comparisons =
        Compare(*before, *after, threshold / 100);
    if (!comparisons.ok()) {
      return Fail(program, kExitError, std::string(comparisons.status().message()));
    }
    PageFile page;
    absl::Status status = page.Open(page_path);
    if (status.ok() && page.wanted()) {
      status = page.Write(AsPage(*before, *after, *comparisons, threshold / 100));
    }
    const std::string table = ComparisonTable(*before, *after, *comparisons);
    if (!status.ok()) {
      (void)PrintOrFail(program, table, kExitOk);
      return Fail(program, kExitError, std::string(status.message()));
    }
    return PrintOrFail(program, table, AnyWorse(*comparisons) ? kExitRegression : kExitOk);
  });
}

// Shows a line that the next one replaces.
void ShowLine(const std::string& line) {
  std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
  std::fflush(stderr);
}

absl::StatusOr<std::string> MakeDirectory(const BenchOptions& options) {
  std::string path = options.db;
  if (path.empty()) {
    const char* const parent = std::getenv("TMPDIR");
    const std::string pattern =
        absl::StrCat(parent == nullptr ? "/tmp" : parent, "/rumcask_bench.XXXXXX");
    path = pattern;
    if (::mkdtemp(path.data()) == nullptr) {
      return absl::InternalError(
          absl::StrCat("cannot make a directory like ", pattern, ": ", std::strerror(errno)));
    }
  }
  absl::Status status = BenchDirectory::Make(path);
  if (!status.ok()) return status;
  return path;
}

bool AnyFailed(const Report& report) {
  for (const Result& result : report.results) {
    for (const Measurement& m : result.rounds) {
      if (m.outcome == Measurement::Outcome::kFailed) return true;
    }
  }
  return false;
}

int Measure(std::string_view program, const std::vector<std::string>& arguments,
            const BenchOptions& options, Schedule schedule) {
  absl::StatusOr<std::string> directory = MakeDirectory(options);
  if (!directory.ok()) return Fail(program, kExitError, std::string(directory.status().message()));
  schedule.directory = *std::move(directory);
  schedule.keep = !options.db.empty();
  PageFile page;
  absl::Status status = page.Open(options.report);
  if (!status.ok()) {
    if (!schedule.keep) BenchDirectory::Remove(schedule.directory);
    return Fail(program, kExitError, std::string(status.message()));
  }
  if (::isatty(STDERR_FILENO) == 1) schedule.show = ShowLine;
  Report report;
  report.command = CommandText(program, arguments);
  report.date = Now();
  report.machine = MachineFacts(schedule.directory);
  report.settings = SettingsFacts(options, schedule);
  RunSchedule(schedule, SystemClock(), &report);
  if (!schedule.keep) BenchDirectory::Remove(schedule.directory);
  std::string text = options.format == "json"  ? AsJson(report)
                     : options.format == "csv" ? AsCsv(report)
                                               : AsTable(report);
  if (options.histogram && options.format == "table") text += AsPercentiles(report);
  if (page.wanted()) status = page.Write(AsPage(report));
  // What was measured is printed even if there is no room for the page.
  if (!status.ok()) {
    (void)PrintOrFail(program, text, kExitOk);
    return Fail(program, kExitError, std::string(status.message()));
  }
  return PrintOrFail(program, text, AnyFailed(report) ? kExitError : kExitOk);
}

}  // namespace

int RunBench(std::string_view program, const std::vector<std::string>& arguments,
             const std::vector<EngineType>& peers) {
  if (!arguments.empty() && arguments[0] == "compare") {
    return RunCompare(absl::StrCat(std::string(program), " compare"),
                      {arguments.begin() + 1, arguments.end()});
  }
  std::vector<EngineType> systems = {YardstickEngine(), NothingEngine()};
  systems.insert(systems.end(), peers.begin(), peers.end());
  if (!arguments.empty() && cli::MostSimilar(arguments[0], {"compare"})) {
    return Fail(program, kExitUsage,
                absl::StrFormat("unexpected argument '%s'; did you mean 'compare'?", arguments[0]));
  }
  cli::CommandLine line(kDescription);
  BenchOptions options;
  DeclareFlags(systems, &line, &options);
  return Parsed(&line, program, arguments, [&] {
    absl::StatusOr<Schedule> schedule = ScheduleOf(options, systems);
    if (!schedule.ok()) {
      return Fail(program, kExitUsage, std::string(schedule.status().message()));
    }
    return Measure(program, arguments, options, *std::move(schedule));
  });
}

}  // namespace rumcask::bench
