// Bytes as hexadecimal text.

#ifndef RUMCASK_TOOLS_CLI_TEXT_ENCODING_H_
#define RUMCASK_TOOLS_CLI_TEXT_ENCODING_H_

#include <optional>
#include <string>
#include <string_view>

namespace rumcask::cli {

// 0 to 15, or -1 if `digit` is not a hexadecimal digit.
inline int HexDigitValue(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// Two lower-case digits.
inline void AppendHexByte(unsigned char byte, std::string* to) {
  constexpr char kDigits[] = "0123456789abcdef";
  to->push_back(kDigits[byte >> 4]);
  to->push_back(kDigits[byte & 15]);
}

std::string ToHex(std::string_view bytes);

// nullopt if `digits` is not an even number of hexadecimal digits.
std::optional<std::string> FromHex(std::string_view digits);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_TEXT_ENCODING_H_
