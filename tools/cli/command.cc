#include "tools/cli/command.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "core/format/format.h"
#include "core/system/text.h"
#include "keystores/by_name.h"
#include "tools/cli/output.h"
#include "tools/cli/printable.h"
#include "tools/cli/suggestion.h"
#include "tools/cli/text_encoding.h"

namespace rumcask::cli {
namespace {

// The payload of a status that reports an error in the command line.
constexpr char kUsagePayload[] = "rumcask/usage";

std::string CommandList(absl::Span<const Command> commands) {
  std::string text =
      "Usage: rumcask COMMAND DB [ARGUMENTS]\n\n"
      "Reads, writes and maintains the rumcask database in the directory DB.\n\nCommands:\n";
  for (const Command& command : commands) {
    absl::StrAppendFormat(&text, "  %-10s  %s\n", command.name, command.summary);
  }
  absl::StrAppend(
      &text,
      "\n'rumcask COMMAND --help' describes a command, 'rumcask --version' the program.\n"
      "Exit codes: 0 success, 1 error, 2 key not found, 3 damage, 4 open elsewhere,\n"
      "5 slower than before (bench compare), 64 wrong usage.\n");
  return text;
}

// Opens /dev/null for each of the three standard files that is missing. Otherwise a file of the
// database could get the number of one of them, and output would be written into it.
void OccupyStandardFiles() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) == -1 && errno == EBADF) {
      // open returns the lowest free number, which is `fd`.
      (void)::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
    }
  }
}

int PrintOrFail(const std::string& text) {
  const absl::Status status = Print(text);
  if (status.ok()) return kExitOk;
  PrintError({status.message().data(), status.message().size()});
  return kExitError;
}

// Reports that the command line names no known command; `names` are the known ones.
int UnknownCommand(const std::string& word, std::vector<std::string_view> names) {
  const bool option = !word.empty() && word[0] == '-';
  if (option) names = {"--help", "--version"};
  const std::optional<std::string_view> similar = MostSimilar(word, names);
  PrintError(absl::StrFormat("unknown %s '%s'%s", option ? "option" : "command", word,
                             similar ? absl::StrFormat("; did you mean '%s'?", *similar) : ""));
  std::fputs("Try 'rumcask --help'.\n", stderr);
  return kExitUsage;
}

}  // namespace

void AddDatabase(CommandLine* line, Flags* flags) {
  line->Argument("DB", &flags->db, "Directory of the database");
  line->Option("--wait", "SECONDS", &flags->wait_seconds,
               "How long to keep trying while another process has the database open");
}

void AddKeystore(CommandLine* line, Flags* flags) {
  line->Option("--keystore", "NAME", &flags->keystore,
               absl::StrFormat("The kind of index: %s; default: the database's own, or %s for a "
                               "new one",
                               absl::StrJoin(KeystoreNames(), ", "), KeystoreNames().front()));
}

void AddHex(CommandLine* line, Flags* flags) {
  line->Flag("--hex", &flags->hex, "Keys and values are given and printed in hexadecimal");
}

void AddJson(CommandLine* line, Flags* flags) { line->Flag("--json", &flags->json, "Print JSON"); }

void AddSync(CommandLine* line, Flags* flags) {
  line->Flag("--sync", &flags->sync, "Succeed only once the write survives a power cut");
}

int Run(std::string_view name, CommandLine* line, const std::vector<std::string>& arguments,
        const std::function<absl::Status()>& body) {
  const std::string program = absl::StrFormat("rumcask %s", name);
  std::string text;
  absl::Status status;
  switch (line->Parse(program, arguments, &text)) {
    case CommandLine::Outcome::kParsed:
      status = body();
      break;
    case CommandLine::Outcome::kHelp:
      status = Print(text);
      break;
    case CommandLine::Outcome::kWrong:
      status = UsageError(text);
      break;
  }
  if (status.ok()) return kExitOk;
  if (absl::IsCancelled(status)) {
    PrintError(std::string_view(status.message().data(), status.message().size()));
    // Ends the process as the signal would have ended it, so that a shell's loop ends too.
    ::signal(SIGINT, SIG_DFL);
    ::raise(SIGINT);
  }
  const int exit_code = ExitCodeOf(status);
  if (exit_code == kExitNotFound) {
    PrintError("no such key");
  } else {
    PrintError(status.message().empty()
                   ? absl::StatusCodeToString(status.code())
                   : std::string(status.message().data(), status.message().size()));
  }
  if (exit_code == kExitUsage) std::fprintf(stderr, "Try '%s --help'.\n", program.c_str());
  return exit_code;
}

int Main(int argc, char** argv, absl::Span<const Command> commands) {
  OccupyStandardFiles();
  // A reader that has gone away is reported as an error of write; see output.h.
  ::signal(SIGPIPE, SIG_IGN);
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && arguments[0] == "help") {
    // `help COMMAND` is the same as `COMMAND --help`.
    arguments.erase(arguments.begin());
    arguments.push_back("--help");
  }
  if (arguments.empty()) {
    std::fputs(CommandList(commands).c_str(), stderr);
    return kExitUsage;
  }
  const std::string verb = arguments[0];
  if (verb == "--help" || verb == "-h") {
    return PrintOrFail(CommandList(commands));
  }
  if (verb == "--version" || verb == "version") {
    const std::string text =
        absl::StrFormat("rumcask, no release yet; database format %d; keystores %s\n",
                        kFormatVersion, absl::StrJoin(KeystoreNames(), ", "));
    return PrintOrFail(text);
  }
  std::vector<std::string_view> names;
  for (const Command& command : commands) {
    if (verb == command.name) return command.run({arguments.begin() + 1, arguments.end()});
    names.emplace_back(command.name);
  }
  return UnknownCommand(verb, std::move(names));
}

absl::StatusOr<std::string> DecodeArgument(const Flags& flags, std::string_view text) {
  if (!flags.hex) return std::string(text);
  std::optional<std::string> bytes = FromHex(text);
  if (!bytes) return UsageError(absl::StrFormat("'%s' is not hexadecimal", text));
  return *std::move(bytes);
}

absl::Status UsageError(std::string_view message) {
  absl::Status status = absl::InvalidArgumentError(Text(message));
  status.SetPayload(kUsagePayload, absl::Cord());
  return status;
}

void PrintError(std::string_view message) {
  // Written in one call, so that lines of several processes do not mix. Messages contain paths,
  // arguments and lines of files, none of which may control the terminal.
  const std::string line = absl::StrFormat("rumcask: %s\n", Printable(message));
  std::fflush(stderr);
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

absl::Status Prefixed(std::string_view message, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(Text(message), status.message()));
}

int ExitCodeOf(const absl::Status& status) {
  if (status.GetPayload(kUsagePayload).has_value()) return kExitUsage;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kNotFound:
      // With a message, what is missing is the database or a file, not a key.
      return status.message().empty() ? kExitNotFound : kExitError;
    case absl::StatusCode::kDataLoss:
      return kExitDamage;
    case absl::StatusCode::kUnavailable:
      return kExitLocked;
    default:
      return kExitError;
  }
}

}  // namespace rumcask::cli
