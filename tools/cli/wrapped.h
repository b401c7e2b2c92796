// Wraps text to the width of a terminal.

#ifndef RUMCASK_TOOLS_CLI_WRAPPED_H_
#define RUMCASK_TOOLS_CLI_WRAPPED_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace rumcask::cli {

inline constexpr size_t kColumns = 80;

// The number of columns that `text` takes, counting characters and not bytes.
size_t Width(std::string_view text);

// `line` broken between words into lines of at most kColumns, all but the first indented. A word
// that is wider is not broken. There is no newline at the end.
std::string Wrapped(std::string_view line, size_t indent);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_WRAPPED_H_
