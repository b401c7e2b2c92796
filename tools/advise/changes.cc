#include "tools/advise/changes.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "tools/advise/choice.h"
#include "tools/advise/figures.h"
#include "tools/cli/figures.h"

namespace rumcask::advise {
namespace {

// A figure that can be more or less.
struct Figure {
  std::string name;
  // Whether the profile says anything about it.
  std::function<bool(const Profile&)> given;
  // The profile with `factor` times the figure.
  std::function<Profile(Profile, double factor)> times;
  // The figure in words, such as "1,000 keys".
  std::function<std::string(const Profile&)> text;
};

uint64_t Times(uint64_t figure, double factor) {
  // Rounded, because nobody believes more digits.
  constexpr double kMost = 1e18;
  const double product = std::min(static_cast<double>(figure) * factor, kMost);
  const double unit = std::pow(10, std::floor(std::log10(std::max(product, 1.0))) - 1);
  return static_cast<uint64_t>(std::max(std::round(product / unit) * unit, 1.0));
}

double Writes(const Profile& profile) { return profile.overwrites + profile.inserts; }

std::vector<Figure> Figures() {
  std::vector<Figure> figures;
  figures.push_back({"keys", [](const Profile&) { return true; },
                     [](Profile profile, double factor) {
                       profile.keys = Times(profile.keys, factor);
                       return profile;
                     },
                     [](const Profile& profile) { return cli::FormatCount(profile.keys, "key"); }});
  figures.push_back({"memory", [](const Profile& p) { return p.memory_bytes < UINT64_MAX; },
                     [](Profile profile, double factor) {
                       profile.memory_bytes = Times(profile.memory_bytes, factor);
                       return profile;
                     },
                     [](const Profile& profile) {
                       return BytesText(static_cast<double>(profile.memory_bytes)) + " of memory";
                     }});
  figures.push_back({"writes", [](const Profile& p) { return Writes(p) > 0 && Writes(p) < 1; },
                     [](Profile profile, double factor) {
                       profile.overwrites *= factor;
                       profile.inserts *= factor;
                       (void)MakeShares(&profile);
                       return profile;
                     },
                     [](const Profile& profile) {
                       return ShareText(Writes(profile)) + " of the operations writing";
                     }});
  figures.push_back({"scans", [](const Profile& p) { return p.scans > 0 && p.scans < 1; },
                     [](Profile profile, double factor) {
                       profile.scans *= factor;
                       (void)MakeShares(&profile);
                       return profile;
                     },
                     [](const Profile& profile) {
                       return ShareText(profile.scans) + " of the operations scanning";
                     }});
  figures.push_back({"opening", [](const Profile& p) { return std::isfinite(p.open_seconds); },
                     [](Profile profile, double factor) {
                       profile.open_seconds *= factor;
                       return profile;
                     },
                     [](const Profile& profile) {
                       return SecondsText(profile.open_seconds) + " for an opening";
                     }});
  figures.push_back({"recovery", [](const Profile& p) { return std::isfinite(p.recovery_seconds); },
                     [](Profile profile, double factor) {
                       profile.recovery_seconds *= factor;
                       return profile;
                     },
                     [](const Profile& profile) {
                       return SecondsText(profile.recovery_seconds) +
                              " for an opening after a crash";
                     }});
  return figures;
}

bool IsChoice(const std::string& keystore, const Profile& profile, const Evidence& evidence) {
  const std::vector<Judgement> judgements = Judge(profile, evidence);
  const Judgement* const best = Best(judgements);
  return best != nullptr && best->keystore == keystore;
}

// The smallest step up (`direction` 1) or down (-1) with which the keystore is the choice, in
// powers of kStep; up to ten thousand times or a ten thousandth.
std::optional<int> Steps(const std::string& keystore, const Profile& profile,
                         const Evidence& evidence, const Figure& figure, int direction) {
  constexpr int kMost = 190;
  for (int steps = 1; steps <= kMost; ++steps) {
    const double factor = std::pow(1.05, direction * steps);
    if (IsChoice(keystore, figure.times(profile, factor), evidence)) return direction * steps;
  }
  return std::nullopt;
}

std::optional<Change> SmallestChange(const std::string& keystore, const Profile& profile,
                                     const Evidence& evidence) {
  std::optional<int> smallest;
  Change change;
  change.keystore = keystore;
  for (const Figure& figure : Figures()) {
    if (!figure.given(profile)) continue;
    for (const int direction : {1, -1}) {
      const std::optional<int> steps = Steps(keystore, profile, evidence, figure, direction);
      if (!steps.has_value()) continue;
      if (smallest.has_value() && std::abs(*smallest) <= std::abs(*steps)) continue;
      smallest = steps;
      change.figure = figure.name;
      change.condition =
          absl::StrCat("with some ", figure.text(figure.times(profile, std::pow(1.05, *steps))),
                       direction > 0 ? " or more" : " or less");
    }
  }
  if (!smallest.has_value()) return std::nullopt;
  return change;
}

// What is asked for or not.
std::vector<Change> Demands(const std::string& keystore, const Profile& profile,
                            const Evidence& evidence) {
  std::vector<Change> changes;
  Profile other = profile;
  other.ordered = !profile.NeedsOrder();
  if (profile.scans > 0) {
    other.scans = 0;
    // Nothing but scans is left out of no mix.
    if (!MakeShares(&other).ok()) return changes;
  }
  if (IsChoice(keystore, other, evidence)) {
    const bool scans = profile.scans > 0;
    changes.push_back({keystore, "order",
                       scans && profile.ordered
                           ? "if nothing is scanned and keys are not wanted in order"
                       : scans           ? "if nothing is scanned"
                       : profile.ordered ? "if keys are not wanted in order"
                                         : "if keys are wanted in order"});
  }
  other = profile;
  other.exact_keys = !profile.exact_keys;
  if (IsChoice(keystore, other, evidence)) {
    changes.push_back({keystore, "exact keys",
                       profile.exact_keys ? "if odds that two keys are taken for one are accepted"
                                          : "if two keys may never be taken for one"});
  }
  return changes;
}

}  // namespace

std::vector<Change> Changes(const Profile& profile, const Evidence& evidence,
                            const std::string& chosen) {
  std::vector<Change> changes;
  for (const Model& model : evidence.models) {
    if (model.keystore == chosen) continue;
    const std::optional<Change> smallest = SmallestChange(model.keystore, profile, evidence);
    if (smallest.has_value()) changes.push_back(*smallest);
    for (const Change& change : Demands(model.keystore, profile, evidence)) {
      changes.push_back(change);
    }
  }
  return changes;
}

}  // namespace rumcask::advise
