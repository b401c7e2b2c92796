// A place in the files where bytes are not what they were. Public.

#ifndef RUMCASK_CORE_DAMAGE_H_
#define RUMCASK_CORE_DAMAGE_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace rumcask {

struct Damage {
  std::string file;     // within the database's directory
  uint64_t offset = 0;  // of the first byte concerned
  uint64_t length = 0;  // bytes concerned, 0 if unknown
  std::string cause;    // a sentence
};

inline absl::Status DamageStatus(const Damage& damage) {
  return absl::DataLossError(
      absl::StrCat(damage.file, " offset ", damage.offset, ": ", damage.cause));
}

}  // namespace rumcask

#endif  // RUMCASK_CORE_DAMAGE_H_
