// The choice itself, without its reasons.

#ifndef RUMCASK_TOOLS_ADVISE_CHOICE_H_
#define RUMCASK_TOOLS_ADVISE_CHOICE_H_

#include <vector>

#include "tools/advise/profile.h"
#include "tools/advise/recommendation.h"

namespace rumcask::advise {

// A keystore that costs at most this much more than the cheapest is as good.
inline constexpr double kAsGood = 1.1;

std::vector<Judgement> Judge(const Profile& profile, const Evidence& evidence);

// Of those that fit; null if none does.
const Judgement* Best(const std::vector<Judgement>& judgements);
const Judgement* Cheapest(const std::vector<Judgement>& judgements);

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_CHOICE_H_
