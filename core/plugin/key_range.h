// A range of keys of an ordered keystore.

#ifndef RUMCASK_CORE_PLUGIN_KEY_RANGE_H_
#define RUMCASK_CORE_PLUGIN_KEY_RANGE_H_

#include "rumcask/require_cxx17.h"

#include <string_view>

namespace rumcask {

// lower <= key < upper, bytewise. An empty `upper` means that there is no upper bound.
struct KeyRange {
  std::string_view lower;
  std::string_view upper;
  // Excludes `lower` itself.
  bool after_lower = false;
  // Goes from the last key of the range to the first.
  bool reverse = false;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_PLUGIN_KEY_RANGE_H_
