// Chooses a keystore. Nothing is measured or read here, so that the same figures always give the
// same choice.

#ifndef RUMCASK_TOOLS_ADVISE_RECOMMENDATION_H_
#define RUMCASK_TOOLS_ADVISE_RECOMMENDATION_H_

#include <string>
#include <vector>

#include "tools/advise/model.h"
#include "tools/advise/profile.h"

namespace rumcask::advise {

// What is known, whatever the profile's figures are.
struct Evidence {
  // The simplest keystore first.
  std::vector<Model> models;
  double device_bytes_per_second = 0;
};

struct Judgement {
  std::string keystore;
  // Why it does not fit; empty if it does.
  std::string obstacle;
  Prediction prediction;
  // Seconds of an operation of the mix.
  double cost = 0;
};

// One figure of the profile, and what it would have to be for another keystore to be the choice.
struct Change {
  std::string keystore;
  std::string figure;
  std::string condition;
};

struct Recommendation {
  std::vector<Judgement> judgements;  // in the order of the models
  // Empty if none fits.
  std::string keystore;
  std::string reason;
  // What the trials cannot know and would speak for another one; empty if there is nothing.
  std::string caution;
  std::vector<Change> changes;
};

// The choice is, of those that fit, the one whose operations cost least. One that is simpler and
// costs at most a tenth more is preferred.
Recommendation Recommend(const Profile& profile, const Evidence& evidence);

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_RECOMMENDATION_H_
