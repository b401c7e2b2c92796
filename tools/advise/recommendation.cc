#include "tools/advise/recommendation.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"

#include "tools/advise/changes.h"
#include "tools/advise/choice.h"
#include "tools/advise/figures.h"

namespace rumcask::advise {
namespace {

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
        SecondsText(best->cost), next->keystore, SecondsText(next->cost));
  }
  if (next->cost <= kAsGood * best->cost) {
    return absl::StrFormat(
        "An operation of this mix costs %s, and with %s, which is less simple, %s.",
        SecondsText(best->cost), next->keystore, SecondsText(next->cost));
  }
  return absl::StrFormat(
      "An operation of this mix costs %s, the least of those that fit; next is %s with %s.",
      SecondsText(best->cost), next->keystore, SecondsText(next->cost));
}

// The trials' indexes are in the page cache, and reading pages of one that is not there is in no
// cost. How much memory will be left for that cache is not known either, so that no keystore is
// excluded for it; but it is told where README's table knows more.
std::string Caution(const Profile& profile, const Evidence& evidence,
                    const std::vector<Judgement>& judgements, const Judgement* best) {
  if (best == nullptr || best->keystore != "lmdb") return "";
  if (profile.overwrites + profile.inserts <= profile.gets + profile.scans) return "";
  const auto fits = [](const Judgement& judgement) {
    return judgement.keystore == "rocksdb" && judgement.obstacle.empty();
  };
  if (std::none_of(judgements.begin(), judgements.end(), fits)) return "";
  const Model& model = evidence.models[static_cast<size_t>(best - judgements.data())];
  const double index = model.index_files.At(static_cast<double>(profile.keys));
  if (index <= static_cast<double>(profile.memory_bytes)) return "";
  return absl::StrFormat(
      "But its index would take %s, more than the memory that is given, and those of the trials "
      "were in the page cache. Where it is not, lmdb reads and writes whole pages for changes at "
      "random places, and rocksdb writes in order: take rocksdb then, unless the device reads and "
      "writes single pages cheaply.",
      BytesText(index));
}

}  // namespace

Recommendation Recommend(const Profile& profile, const Evidence& evidence) {
  Recommendation recommendation;
  recommendation.judgements = Judge(profile, evidence);
  const Judgement* const best = Best(recommendation.judgements);
  recommendation.reason = Reason(best, recommendation.judgements);
  if (best != nullptr) recommendation.keystore = best->keystore;
  recommendation.caution = Caution(profile, evidence, recommendation.judgements, best);
  recommendation.changes = Changes(profile, evidence, recommendation.keystore);
  return recommendation;
}

}  // namespace rumcask::advise
