// The options of a database that is a small copy of another one.

#ifndef RUMCASK_TOOLS_ADVISE_SMALL_DATABASE_H_
#define RUMCASK_TOOLS_ADVISE_SMALL_DATABASE_H_

#include <string>

#include "absl/status/statusor.h"

#include "core/options.h"
#include "tools/advise/profile.h"

namespace rumcask::advise {

// How often bounds in bytes are divided by two.
struct Shrinking {
  int segments = 0;
  int buffers = 0;
};

// For a database whose keys are halved so often, which is the smaller one of two trials if
// `smaller` is not 0: then the other one has `smaller` halvings less. Where what there is of each
// segment or buffer would be felt, the larger one shrinks them less, but the smaller one has as
// many of them.
Shrinking ShrinkingFor(int halvings, int smaller);

// The default options of the keystore, with smaller bounds.
absl::StatusOr<Options> SmallDatabase(const Profile& profile, const std::string& keystore,
                                      const Shrinking& shrinking);

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_SMALL_DATABASE_H_
