// Converts std::string_view to what Abseil's functions take. Where absl::string_view is an alias of
// std::string_view this is the identity; in Debian's build it is a class of its own.

#ifndef RUMCASK_CORE_SYSTEM_TEXT_H_
#define RUMCASK_CORE_SYSTEM_TEXT_H_

#include <string_view>

#include "absl/strings/string_view.h"

namespace rumcask {

inline absl::string_view Text(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace rumcask

#endif  // RUMCASK_CORE_SYSTEM_TEXT_H_
