// Declares and parses the arguments of one command. Hides CLI11, which takes long to compile.

#ifndef RUMCASK_TOOLS_CLI_COMMAND_LINE_H_
#define RUMCASK_TOOLS_CLI_COMMAND_LINE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {  // NOLINT: not our name
class App;
}  // namespace CLI

namespace rumcask::cli {

// Parse sets the values pointed to; what is not given keeps its value. `metavar` is the name of an
// option's value in the help.
class CommandLine {
 public:
  explicit CommandLine(std::string_view description);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // Arguments are positional, in the order of the calls.
  void Argument(std::string_view name, std::string* value, std::string_view help);
  void OptionalArgument(std::string_view name, std::optional<std::string>* value,
                        std::string_view help);

  // `name` includes the two leading dashes.
  void Flag(std::string_view name, bool* value, std::string_view help);
  void Option(std::string_view name, std::string_view metavar, std::string* value,
              std::string_view help);
  void Option(std::string_view name, std::string_view metavar, std::optional<std::string>* value,
              std::string_view help);
  void Option(std::string_view name, std::string_view metavar, uint64_t* value,
              std::string_view help);
  void Option(std::string_view name, std::string_view metavar, double* value,
              std::string_view help);  // must not be negative
  // May be given several times.
  void RepeatedOption(std::string_view name, std::string_view metavar,
                      std::vector<std::string>* values, std::string_view help);
  void RequiredOption(std::string_view name, std::string_view metavar, std::string* value,
                      std::string_view help);

  enum class Outcome {
    kParsed,
    kHelp,   // help was requested; `*text` contains it
    kWrong,  // `*text` says what is wrong
  };
  Outcome Parse(std::string_view program, const std::vector<std::string>& arguments,
                std::string* text);

 private:
  const std::unique_ptr<CLI::App> app_;
};

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_COMMAND_LINE_H_
