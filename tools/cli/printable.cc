#include "tools/cli/printable.h"

#include <cstddef>
#include <string>
#include <string_view>

#include "tools/cli/text_encoding.h"

namespace rumcask::cli {

size_t CharacterBytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t size = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (size == 0 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  }
  // Longer than necessary, a surrogate, or beyond U+10FFFF.
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) ||
      (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f)) {
    return 0;
  }
  return size;
}

bool CommandsTerminal(std::string_view character) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(character[i]); };
  if (byte(0) < 0x20 || byte(0) == 0x7f) return true;
  // U+0080 to U+009F; some terminals take U+009B for ESC [.
  if (byte(0) == 0xc2) return byte(1) < 0xa0;
  // U+202A to U+202E and U+2066 to U+2069 make the text that follows appear in another order.
  return byte(0) == 0xe2 && ((byte(1) == 0x80 && byte(2) >= 0xaa && byte(2) <= 0xae) ||
                             (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9));
}

std::string Printable(std::string_view bytes, Escaping escaping) {
  std::string text;
  while (!bytes.empty()) {
    const size_t size = CharacterBytes(bytes);
    const std::string_view character = bytes.substr(0, size == 0 ? 1 : size);
    const bool kept = escaping == Escaping::kLines && (character == "\n" || character == "\t");
    const bool escaped = size == 0 || CommandsTerminal(character) ||
                         (escaping == Escaping::kBackslash && character == "\\");
    if (kept || !escaped) {
      text.append(character);
    } else {
      for (const char byte : character) {
        text.push_back('\\');
        AppendHexByte(static_cast<unsigned char>(byte), &text);
      }
    }
    bytes.remove_prefix(character.size());
  }
  return text;
}

}  // namespace rumcask::cli
