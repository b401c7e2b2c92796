// Declares and reads the arguments of one command. A front of CLI11, which takes long to compile.

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

// The values pointed to are set by Parse and keep what they have if they are not given. `metavar`
// is how the help calls an option's value.
class CommandLine {
 public:
  explicit CommandLine(std::string_view description);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // By position, in the order of the calls.
  void Argument(std::string_view name, std::string* value, std::string_view help);
  void OptionalArgument(std::string_view name, std::optional<std::string>* value,
                        std::string_view help);

  // `name` begins with the two dashes.
  void Flag(std::string_view name, bool* value, std::string_view help);
  void Option(std::string_view name, std::string_view metavar, std::string* value,
              std::string_view help);
  void Option(std::string_view name, std::string_view metavar, std::optional<std::string>* value,
              std::string_view help);
  void Option(std::string_view name, std::string_view metavar, uint64_t* value,
              std::string_view help);
  void Option(std::string_view name, std::string_view metavar, double* value,
              std::string_view help);  // not negative
  // May be given several times.
  void RepeatedOption(std::string_view name, std::string_view metavar,
                      std::vector<std::string>* values, std::string_view help);
  void RequiredOption(std::string_view name, std::string_view metavar, std::string* value,
                      std::string_view help);

  enum class Outcome {
    kParsed,
    kHelp,   // help was asked for: `*text` is it
    kWrong,  // `*text` tells why
  };
  Outcome Parse(std::string_view program, const std::vector<std::string>& arguments,
                std::string* text);

 private:
  const std::unique_ptr<CLI::App> app_;
};

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_COMMAND_LINE_H_
