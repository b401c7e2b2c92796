// Makes arbitrary bytes safe to show on a terminal.

#ifndef RUMCASK_TOOLS_CLI_PRINTABLE_H_
#define RUMCASK_TOOLS_CLI_PRINTABLE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace rumcask::cli {

// What is escaped in addition to control characters and invalid UTF-8, or excepted from that.
enum class Escaping {
  kMessage,    // for a sentence on one line: nothing else
  kBackslash,  // backslashes, too, so that the result is unambiguous
  kLines,      // for text of several lines: newlines and tabs are not escaped
};

// `bytes` with each byte of a character that CommandsTerminal, and each byte of invalid UTF-8,
// replaced by a backslash and two hexadecimal digits. A terminal would obey such bytes: they could
// hide or reorder what follows, change the window's title, or make the terminal answer with input
// of their choice.
std::string Printable(std::string_view bytes, Escaping escaping = Escaping::kMessage);

// The number of bytes of the character at the front of `text`, which must not be empty. 0 if it is
// not valid UTF-8 according to RFC 3629.
size_t CharacterBytes(std::string_view text);

// Whether the character is a control character or changes the direction of writing.
bool CommandsTerminal(std::string_view character);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_PRINTABLE_H_
