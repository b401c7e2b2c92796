// What the commands of the rumcask tool share: flags, opening, errors and exit codes.

#ifndef RUMCASK_TOOLS_CLI_COMMAND_H_
#define RUMCASK_TOOLS_CLI_COMMAND_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "tools/cli/command_line.h"

namespace rumcask::cli {

// The exit codes of the process.
enum ExitCode {
  kExitOk = 0,
  kExitError = 1,
  kExitNotFound = 2,  // the key is missing
  kExitDamage = 3,    // damage (DataLoss)
  kExitLocked = 4,    // the database is open elsewhere (Unavailable)
  // 5 is bench::kExitRegression.
  kExitUsage = 64,
};

// One command. `run` gets the arguments that follow its name and returns an ExitCode.
struct Command {
  const char* name;
  const char* summary;  // shown in the list of commands
  int (*run)(const std::vector<std::string>& arguments);
};

// Values of the flags that several commands share. A command sets those that it declares with the
// functions below.
struct Flags {
  std::string db;
  std::string keystore;  // empty: that of the database, or the default for a new one
  double wait_seconds = 0;
  bool hex = false;
  bool json = false;
  bool sync = false;
};

// Each function declares a flag or argument. `flags` must live until the command line is parsed.
void AddDatabase(CommandLine* line, Flags* flags);  // DB and --wait
void AddKeystore(CommandLine* line, Flags* flags);  // --keystore
void AddHex(CommandLine* line, Flags* flags);       // --hex
void AddJson(CommandLine* line, Flags* flags);      // --json
void AddSync(CommandLine* line, Flags* flags);      // --sync

// Parses `arguments` and then calls `body`. Prints any error and returns the ExitCode.
int Run(std::string_view name, CommandLine* line, const std::vector<std::string>& arguments,
        const std::function<absl::Status()>& body);

// The whole program: finds the command named by argv[1] and runs it.
int Main(int argc, char** argv, absl::Span<const Command> commands);

// A key or value of the command line, decoded from hexadecimal if --hex is given.
absl::StatusOr<std::string> DecodeArgument(const Flags& flags, std::string_view text);

// An error that makes the process end with kExitUsage.
absl::Status UsageError(std::string_view message);

// Writes `rumcask: MESSAGE` to stderr.
void PrintError(std::string_view message);

// The same status, with `message` put before its message.
absl::Status Prefixed(std::string_view message, const absl::Status& status);

int ExitCodeOf(const absl::Status& status);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_COMMAND_H_
