#include "tools/advise/choice.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "tools/advise/figures.h"

namespace rumcask::advise {
namespace {

std::string Obstacle(const Profile& profile, const Model& model, const Prediction& prediction) {
  if (profile.NeedsOrder() && !model.ordered) return "it keeps no order of keys";
  if (profile.exact_keys && !model.exact_keys) {
    return "it may take two keys for one, with odds below n^2 / 2^109 for n keys";
  }
  if (profile.LongestKey() > model.longest_key) {
    return absl::StrFormat("its keys have at most %d bytes, and there are some of %d",
                           model.longest_key, profile.LongestKey());
  }
  const double memory = prediction.memory_bytes + model.burst_bytes;
  if (memory > static_cast<double>(profile.memory_bytes)) {
    return absl::StrCat("it needs ", BytesText(memory), " of memory, and there are ",
                        BytesText(static_cast<double>(profile.memory_bytes)));
  }
  if (prediction.open_seconds > profile.open_seconds) {
    return absl::StrCat("opening takes ", SecondsText(prediction.open_seconds), ", and may take ",
                        SecondsText(profile.open_seconds));
  }
  if (prediction.recovery_seconds > profile.recovery_seconds) {
    return absl::StrCat("opening after a crash takes ", SecondsText(prediction.recovery_seconds),
                        ", and may take ", SecondsText(profile.recovery_seconds));
  }
  return "";
}

}  // namespace

std::vector<Judgement> Judge(const Profile& profile, const Evidence& evidence) {
  std::vector<Judgement> judgements;
  for (const Model& model : evidence.models) {
    Judgement judgement;
    judgement.keystore = model.keystore;
    judgement.prediction = Predict(model, profile.keys);
    judgement.obstacle = Obstacle(profile, model, judgement.prediction);
    judgement.cost = OperationCost(model, profile, evidence.device_bytes_per_second);
    judgements.push_back(judgement);
  }
  return judgements;
}

const Judgement* Cheapest(const std::vector<Judgement>& judgements) {
  const Judgement* cheapest = nullptr;
  for (const Judgement& judgement : judgements) {
    if (!judgement.obstacle.empty()) continue;
    if (cheapest == nullptr || judgement.cost < cheapest->cost) cheapest = &judgement;
  }
  return cheapest;
}

const Judgement* Best(const std::vector<Judgement>& judgements) {
  const Judgement* const cheapest = Cheapest(judgements);
  if (cheapest == nullptr) return nullptr;
  return &*std::find_if(judgements.begin(), judgements.end(), [&](const Judgement& judgement) {
    return judgement.obstacle.empty() && judgement.cost <= kAsGood * cheapest->cost;
  });
}

}  // namespace rumcask::advise
