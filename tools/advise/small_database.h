// The options of a database that is a small copy of another one.

#ifndef RUMCASK_TOOLS_ADVISE_SMALL_DATABASE_H_
#define RUMCASK_TOOLS_ADVISE_SMALL_DATABASE_H_

#include <string>

#include "absl/status/statusor.h"

#include "core/options.h"
#include "tools/advise/profile.h"

namespace rumcask::advise {

// The default options of the keystore, with all bounds in bytes divided by two so many times.
absl::StatusOr<Options> SmallDatabase(const Profile& profile, const std::string& keystore,
                                      int halvings);

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_SMALL_DATABASE_H_
