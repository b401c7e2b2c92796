#include "tools/cli/command_line.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "CLI/CLI.hpp"

#include "tools/cli/suggestion.h"
#include "tools/cli/wrapped.h"

namespace rumcask::cli {
namespace {

// The column where CLI11 begins to describe an option.
constexpr size_t kDescription = 30;

// Breaks long lines between words. Those of a list go on below their description.
std::string WrappedHelp(const std::string& help) {
  std::string text;
  for (size_t begin = 0; begin < help.size();) {
    const size_t end = std::min(help.find('\n', begin), help.size());
    const std::string line = help.substr(begin, end - begin);
    text += Wrapped(line, line.substr(0, 2) == "  " ? kDescription : 0) + "\n";
    begin = end + 1;
  }
  return text;
}

// About the first of the arguments that looks like an option and is none; empty if there is none.
std::string UnknownOption(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  for (size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    const std::string word = arguments[i].substr(0, arguments[i].find('='));
    if (word.size() < 2 || word[0] != '-') continue;
    const CLI::Option* const option = app.get_option_no_throw(word);
    if (option != nullptr) {
      // Its value may begin with a dash.
      if (option->get_items_expected_max() > 0 && word == arguments[i]) ++i;
      continue;
    }
    // A single letter is like any other.
    const std::optional<std::string_view> similar =
        word.size() == 2 ? std::nullopt : MostSimilar(word, {names.begin(), names.end()});
    return "unknown option '" + word + "'" +
           (similar ? "; did you mean '" + std::string(*similar) + "'?"
                    : "; an argument that begins with a dash goes behind --");
  }
  return "";
}

}  // namespace

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
        const bool digits =
            !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
        return digits ? "" : "'" + text + "' is no number from 0 on";
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
    *text = WrappedHelp(app_->help());
    return Outcome::kHelp;
  } catch (const CLI::ExtrasError&) {
    // CLI11 names what is left over from its back.
    *text = UnknownOption(*app_, arguments);
    if (text->empty()) *text = "unexpected argument '" + app_->remaining().front() + "'";
    return Outcome::kWrong;
  } catch (const CLI::RequiredError& error) {
    // An argument may be missing because it was taken for an option.
    *text = UnknownOption(*app_, arguments);
    if (text->empty()) *text = error.what();
    return Outcome::kWrong;
  } catch (const CLI::ParseError& error) {
    *text = error.what();
    return Outcome::kWrong;
  }
}

}  // namespace rumcask::cli
