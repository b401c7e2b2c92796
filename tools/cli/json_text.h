// Formats JSON for printing.

#ifndef RUMCASK_TOOLS_CLI_JSON_TEXT_H_
#define RUMCASK_TOOLS_CLI_JSON_TEXT_H_

#include <string>

#include "nlohmann/json.hpp"

namespace rumcask::cli {

// `json` with `indent` spaces per level, or on one line if it is -1. Never fails: bytes that are
// not UTF-8, which a path may contain, become U+FFFD. Characters that control a terminal (see
// Printable) are escaped, which means the same to every reader of JSON.
std::string JsonText(const nlohmann::ordered_json& json, int indent);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_JSON_TEXT_H_
