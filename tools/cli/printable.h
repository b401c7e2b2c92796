// Bytes that may be anything, made fit for a terminal.

#ifndef RUMCASK_TOOLS_CLI_PRINTABLE_H_
#define RUMCASK_TOOLS_CLI_PRINTABLE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace rumcask::cli {

// What besides control characters and bytes that are no UTF-8 is escaped, or is not.
enum class Escaping {
  kMessage,    // a sentence on one line: nothing else
  kBackslash,  // backslashes too, so that the bytes can be told from the text
  kLines,      // not newlines and tabs: a text of several lines
};

// `bytes` with each byte of what CommandsTerminal, and each byte that belongs to no valid UTF-8, as
// a backslash and two hexadecimal digits. A terminal takes such bytes for commands: they could hide
// or reorder what follows, retitle the window, or have it answer with input of their choice.
std::string Printable(std::string_view bytes, Escaping escaping = Escaping::kMessage);

// The bytes of the character at the front of `text`, which is not empty, in UTF-8 as RFC 3629 has
// it; 0 if there is none.
size_t CharacterBytes(std::string_view text);

// Whether that character is a control character or one that changes the direction of writing.
bool CommandsTerminal(std::string_view character);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_PRINTABLE_H_
