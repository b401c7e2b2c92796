// JSON as it is printed.

#ifndef RUMCASK_TOOLS_CLI_JSON_TEXT_H_
#define RUMCASK_TOOLS_CLI_JSON_TEXT_H_

#include <string>

#include "nlohmann/json.hpp"

namespace rumcask::cli {

// `json` with `indent` spaces a level; -1: on one line. Never fails: bytes that are no UTF-8, as a
// path may have, become U+FFFD. What a terminal would obey (see Printable) is escaped, which means
// the same to every reader of JSON.
std::string JsonText(const nlohmann::ordered_json& json, int indent);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_JSON_TEXT_H_
