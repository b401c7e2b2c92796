// Text no wider than a terminal.

#ifndef RUMCASK_TOOLS_CLI_WRAPPED_H_
#define RUMCASK_TOOLS_CLI_WRAPPED_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace rumcask::cli {

inline constexpr size_t kColumns = 80;

// How many columns `text` takes: characters, not bytes.
size_t Width(std::string_view text);

// `line` broken between words into lines of at most kColumns, each but the first indented; a word
// that is wider stays whole. Without a newline at the end.
std::string Wrapped(std::string_view line, size_t indent);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_WRAPPED_H_
