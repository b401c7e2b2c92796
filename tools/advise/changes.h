// What would change a recommendation.

#ifndef RUMCASK_TOOLS_ADVISE_CHANGES_H_
#define RUMCASK_TOOLS_ADVISE_CHANGES_H_

#include <string>
#include <vector>

#include "tools/advise/profile.h"
#include "tools/advise/recommendation.h"

namespace rumcask::advise {

// For each keystore but the chosen one, the smallest change of one figure of the profile that makes
// it the choice, and the changes of what is asked for that do. Found by choosing again.
std::vector<Change> Changes(const Profile& profile, const Evidence& evidence,
                            const std::string& chosen);

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_CHANGES_H_
