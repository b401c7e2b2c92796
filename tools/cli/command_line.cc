#include "tools/cli/command_line.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "CLI/CLI.hpp"

#include "tools/cli/suggestion.h"
#include "tools/cli/wrapped.h"

namespace rumcask::cli {
namespace {

// The column in which CLI11 begins the description of an option.
constexpr size_t kDescription = 30;

// Breaks long lines between words. Lines of a list continue below their description.
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

// A message about the first argument that looks like an option but is unknown; empty if there is
// none.
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
      // The value of an option may begin with a dash.
      if (option->get_items_expected_max() > 0 && word == arguments[i]) ++i;
      continue;
    }
    // Single letters are too similar to each other for a suggestion.
    const std::optional<std::string_view> similar =
        word.size() == 2 ? std::nullopt : MostSimilar(word, {names.begin(), names.end()});
    return "unknown option '" + word + "'" +
           (similar ? "; did you mean '" + std::string(*similar) + "'?"
                    : "; an argument that begins with a dash goes behind --");
  }
  return "";
}

// A message about the first flag that is given a value; empty if there is none. CLI11 would take a
// number for true.
std::string FlagWithValue(const CLI::App& app, const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    const std::string word = arguments[i].substr(0, arguments[i].find('='));
    if (word.size() < 2 || word[0] != '-') continue;
    const CLI::Option* const option = app.get_option_no_throw(word);
    if (option == nullptr) continue;
    const bool takes_value = option->get_items_expected_max() > 0;
    const bool has_value = word != arguments[i];
    if (!takes_value && has_value) return word + " takes no value";
    if (takes_value && !has_value) ++i;
  }
  return "";
}

// `--option=` gives an empty value; CLI11 would take the next argument as the value.
std::vector<std::string> WithEmptyValues(const CLI::App& app,
                                         const std::vector<std::string>& arguments) {
  std::vector<std::string> all;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") {
      all.insert(all.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
      break;
    }
    const size_t equals = argument.find('=');
    const CLI::Option* const option = argument.size() > 1 && argument[0] == '-'
                                          ? app.get_option_no_throw(argument.substr(0, equals))
                                          : nullptr;
    const bool takes_value = option != nullptr && option->get_items_expected_max() > 0;
    if (takes_value && equals == argument.size() - 1) {
      all.push_back(argument.substr(0, equals));
      all.emplace_back();
      continue;
    }
    all.push_back(argument);
    if (takes_value && equals == std::string::npos && i + 1 < arguments.size()) {
      all.push_back(arguments[++i]);
    }
  }
  return all;
}

// A message about an option without a value or with several. CLI11's error begins with the option's
// name.
std::string Mismatch(const CLI::App& app, const CLI::ArgumentMismatch& error) {
  const std::string text = error.what();
  const std::string name = text.substr(0, text.find(':'));
  const CLI::Option* const option = app.get_option_no_throw(name);
  if (option == nullptr) return text;
  if (option->count() > 1) return name + " is given more than once";
  return name + " needs a value: " + name + " " + option->get_type_name();
}

bool IsCount(const std::string& text) {
  uint64_t count = 0;
  const char* const end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, count);
  return result.ec == std::errc() && result.ptr == end;
}

bool IsAmount(const std::string& text) {
  // strtod alone would accept leading spaces and hexadecimal digits.
  if (text.empty() || text.find_first_not_of("0123456789.eE+-") != std::string::npos) return false;
  char* end = nullptr;
  const double amount = std::strtod(text.c_str(), &end);
  return end == text.c_str() + text.size() && std::isfinite(amount) && !std::signbit(amount);
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
      // CLI11 would take -1, and numbers that are too large, for the largest number.
      ->check([](const std::string& text) {
        if (IsCount(text)) return std::string();
        const bool digits =
            !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
        return "'" + text + (digits ? "' is too large" : "' is no number from 0 on");
      });
}

void CommandLine::Option(std::string_view name, std::string_view metavar, double* value,
                         std::string_view help) {
  app_->add_option(std::string(name), *value, std::string(help))
      ->type_name(std::string(metavar))
      ->check([](const std::string& text) {
        return IsAmount(text) ? "" : "'" + text + "' is no number from 0 on";
      });
}

void CommandLine::RepeatedOption(std::string_view name, std::string_view metavar,
                                 std::vector<std::string>* values, std::string_view help) {
  app_->add_option(std::string(name), *values, std::string(help))
      ->type_name(std::string(metavar))
      // One value at a time; the next word does not belong to the option.
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
  *text = FlagWithValue(*app_, arguments);
  if (!text->empty()) return Outcome::kWrong;
  try {
    // CLI11 requires the arguments in reverse order.
    const std::vector<std::string> all = WithEmptyValues(*app_, arguments);
    app_->parse(std::vector<std::string>(all.rbegin(), all.rend()));
    return Outcome::kParsed;
  } catch (const CLI::CallForHelp&) {
    *text = WrappedHelp(app_->help());
    return Outcome::kHelp;
  } catch (const CLI::ExtrasError&) {
    // CLI11 would name the last argument that is left over, not the first.
    *text = UnknownOption(*app_, arguments);
    if (text->empty()) *text = "unexpected argument '" + app_->remaining().front() + "'";
    return Outcome::kWrong;
  } catch (const CLI::RequiredError& error) {
    // An argument may be missing because it was taken for an option.
    *text = UnknownOption(*app_, arguments);
    if (text->empty()) *text = error.what();
    return Outcome::kWrong;
  } catch (const CLI::ArgumentMismatch& error) {
    *text = Mismatch(*app_, error);
    return Outcome::kWrong;
  } catch (const CLI::ParseError& error) {
    *text = error.what();
    return Outcome::kWrong;
  }
}

}  // namespace rumcask::cli
