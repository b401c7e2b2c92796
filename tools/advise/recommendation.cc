#include "tools/advise/recommendation.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "tools/advise/changes.h"
#include "tools/advise/choice.h"

namespace rumcask::advise {
namespace {

std::string Microseconds(double seconds) { return absl::StrFormat("%.2f us", 1e6 * seconds); }

// The cheapest that fits beside `best`; null if there is none.
const Judgement* NextTo(const Judgement* best, const std::vector<Judgement>& judgements) {
  const Judgement* next = nullptr;
  for (const Judgement& judgement : judgements) {
    if (&judgement == best || !judgement.obstacle.empty()) continue;
    if (next == nullptr || judgement.cost < next->cost) next = &judgement;
  }
  return next;
}

std::string Reason(const Judgement* best, const std::vector<Judgement>& judgements) {
  if (best == nullptr) return "No keystore fits; the table says why.";
  const Judgement* const next = NextTo(best, judgements);
  if (next == nullptr) return "It is the only one that fits.";
  if (next->cost < best->cost) {
    return absl::StrFormat(
        "An operation of this mix costs %s; %s takes %s, but less than a tenth is not worth a "
        "keystore that is less simple.",
        Microseconds(best->cost), next->keystore, Microseconds(next->cost));
  }
  if (next->cost <= kAsGood * best->cost) {
    return absl::StrFormat(
        "An operation of this mix costs %s, and with %s, which is less simple, %s.",
        Microseconds(best->cost), next->keystore, Microseconds(next->cost));
  }
  return absl::StrFormat(
      "An operation of this mix costs %s, the least of those that fit; next is %s with %s.",
      Microseconds(best->cost), next->keystore, Microseconds(next->cost));
}

}  // namespace

Recommendation Recommend(const Profile& profile, const Evidence& evidence) {
  Recommendation recommendation;
  recommendation.judgements = Judge(profile, evidence);
  const Judgement* const best = Best(recommendation.judgements);
  recommendation.reason = Reason(best, recommendation.judgements);
  if (best != nullptr) recommendation.keystore = best->keystore;
  recommendation.changes = Changes(profile, evidence, recommendation.keystore);
  return recommendation;
}

}  // namespace rumcask::advise
