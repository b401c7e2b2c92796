#include "tools/cli/command_line.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "CLI/CLI.hpp"

namespace rumcask::cli {

CommandLine::CommandLine(std::string_view description)
    : app_(std::make_unique<CLI::App>(std::string(description))) {}

CommandLine::~CommandLine() = default;

void CommandLine::Argument(std::string_view name, std::string* value, std::string_view help) {
  app_->add_option(std::string(name), *value, std::string(help))->required();
}

void CommandLine::OptionalArgument(std::string_view name, std::optional<std::string>* value,
                                   std::string_view help) {
  app_->add_option(std::string(name), *value, std::string(help));
}

void CommandLine::Flag(std::string_view name, bool* value, std::string_view help) {
  app_->add_flag(std::string(name), *value, std::string(help));
}

void CommandLine::Option(std::string_view name, std::string_view metavar, std::string* value,
                         std::string_view help) {
  app_->add_option(std::string(name), *value, std::string(help))->type_name(std::string(metavar));
}

void CommandLine::Option(std::string_view name, std::string_view metavar,
                         std::optional<std::string>* value, std::string_view help) {
  app_->add_option(std::string(name), *value, std::string(help))->type_name(std::string(metavar));
}

void CommandLine::Option(std::string_view name, std::string_view metavar, uint64_t* value,
                         std::string_view help) {
  app_->add_option(std::string(name), *value, std::string(help))
      ->type_name(std::string(metavar))
      // CLI11 would take -1 for the largest number.
      ->check([](const std::string& text) {
        return text.find('-') == std::string::npos ? "" : "'" + text + "' is no number from 0 on";
      });
}

void CommandLine::Option(std::string_view name, std::string_view metavar, double* value,
                         std::string_view help) {
  app_->add_option(std::string(name), *value, std::string(help))
      ->type_name(std::string(metavar))
      ->check([](const std::string& text) {
        return CLI::NonNegativeNumber(text).empty() ? "" : "'" + text + "' is no number from 0 on";
      });
}

void CommandLine::RepeatedOption(std::string_view name, std::string_view metavar,
                                 std::vector<std::string>* values, std::string_view help) {
  app_->add_option(std::string(name), *values, std::string(help))
      ->type_name(std::string(metavar))
      // One at a time: the next word is no value of it.
      ->expected(1)
      ->take_all();
}

void CommandLine::RequiredOption(std::string_view name, std::string_view metavar,
                                 std::string* value, std::string_view help) {
  app_->add_option(std::string(name), *value, std::string(help))
      ->type_name(std::string(metavar))
      ->required();
}

CommandLine::Outcome CommandLine::Parse(std::string_view program,
                                        const std::vector<std::string>& arguments,
                                        std::string* text) {
  app_->name(std::string(program));
  try {
    // In reverse is how CLI11 wants them.
    app_->parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    return Outcome::kParsed;
  } catch (const CLI::CallForHelp&) {
    *text = app_->help();
    return Outcome::kHelp;
  } catch (const CLI::ParseError& error) {
    *text = error.what();
    return Outcome::kWrong;
  }
}

}  // namespace rumcask::cli
