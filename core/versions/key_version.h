// One version of a key.

#ifndef RUMCASK_CORE_VERSIONS_KEY_VERSION_H_
#define RUMCASK_CORE_VERSIONS_KEY_VERSION_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>

#include "rumcask/location.h"

namespace rumcask {

// The number and location of a record; no location if the record is a delete.
struct KeyVersion {
  uint64_t sequence = 0;
  Location location;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_VERSIONS_KEY_VERSION_H_
