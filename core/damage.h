// A range of bytes in a file that is damaged. Public.

#ifndef RUMCASK_CORE_DAMAGE_H_
#define RUMCASK_CORE_DAMAGE_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace rumcask {

// What is damaged, and where.
struct Damage {
  std::string file;     // name within the database's directory
  uint64_t offset = 0;  // of the first damaged byte
  uint64_t length = 0;  // number of damaged bytes, 0 if unknown
  std::string cause;    // what is wrong, as a sentence
};

// DataLoss with the damage's file, offset and cause.
inline absl::Status DamageStatus(const Damage& damage) {
  return absl::DataLossError(
      absl::StrCat(damage.file, " offset ", damage.offset, ": ", damage.cause));
}

}  // namespace rumcask

#endif  // RUMCASK_CORE_DAMAGE_H_
