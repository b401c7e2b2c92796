// A part of the keys of an ordered keystore.

#ifndef RUMCASK_CORE_PLUGIN_KEY_RANGE_H_
#define RUMCASK_CORE_PLUGIN_KEY_RANGE_H_

#include "rumcask/require_cxx17.h"

#include <string_view>

namespace rumcask {

// lower <= key < upper, bytewise. An empty `upper` is no bound.
struct KeyRange {
  std::string_view lower;
  std::string_view upper;
  // `lower` itself is left out.
  bool after_lower = false;
  // From the last key backwards.
  bool reverse = false;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_PLUGIN_KEY_RANGE_H_
