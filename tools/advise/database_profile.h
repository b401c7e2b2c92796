// What an existing database says about its keys and values.

#ifndef RUMCASK_TOOLS_ADVISE_DATABASE_PROFILE_H_
#define RUMCASK_TOOLS_ADVISE_DATABASE_PROFILE_H_

#include "absl/status/statusor.h"

#include "core/db.h"
#include "tools/advise/profile.h"

namespace rumcask::advise {

// The number of keys, the lengths of some thousand keys and values, and the longest key, which
// decides whether a keystore takes them. FailedPrecondition if there are none. The mix of
// operations is not in a database.
absl::StatusOr<Profile> ProfileOfDatabase(DB* db);

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_DATABASE_PROFILE_H_
