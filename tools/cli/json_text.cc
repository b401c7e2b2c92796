#include "tools/cli/json_text.h"

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/strings/str_format.h"

#include "tools/cli/printable.h"

namespace rumcask::cli {
namespace {

// The code point of a character of up to three bytes in UTF-8.
unsigned CodePoint(std::string_view character) {
  const auto bits = [&](size_t i) { return static_cast<unsigned char>(character[i]) & 0x3fu; };
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first;
  if (character.size() == 2) return (first & 0x1fu) << 6 | bits(1);
  return (first & 0x0fu) << 12 | bits(1) << 6 | bits(2);
}

}  // namespace

std::string JsonText(const nlohmann::ordered_json& json, int indent) {
  const std::string dumped =
      json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  // The only characters below U+0020 are newlines between the values.
  std::string text;
  for (std::string_view rest = dumped; !rest.empty();) {
    const std::string_view character = rest.substr(0, CharacterBytes(rest));
    if (character != "\n" && CommandsTerminal(character)) {
      absl::StrAppendFormat(&text, "\\u%04x", CodePoint(character));
    } else {
      text.append(character);
    }
    rest.remove_prefix(character.size());
  }
  return text;
}

}  // namespace rumcask::cli
