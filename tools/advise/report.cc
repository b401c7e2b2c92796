#include "tools/advise/report.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

#include "tools/advise/figures.h"
#include "tools/cli/figures.h"
#include "tools/cli/json_text.h"
#include "tools/cli/printable.h"
#include "tools/cli/wrapped.h"

namespace rumcask::advise {
namespace {

// Of a keystore that cannot do it, nothing was measured.
std::string Cell(double seconds) { return seconds == 0 ? "-" : SecondsText(seconds); }

double PutSeconds(const Profile& profile, const Model& model) {
  const double puts = profile.overwrites + profile.inserts;
  if (puts == 0) return model.seconds.overwrite;
  return (profile.overwrites * model.seconds.overwrite + profile.inserts * model.seconds.insert) /
         puts;
}

std::string ProfileText(const Profile& profile) {
  std::string text = absl::StrFormat(
      "%s, %.0f bytes each with its value; %s gets, %s overwrites, %s inserts, %s scans",
      cli::FormatCount(profile.keys, "key"), profile.EntryBytes(), ShareText(profile.gets),
      ShareText(profile.overwrites), ShareText(profile.inserts), ShareText(profile.scans));
  if (profile.scans > 0) absl::StrAppendFormat(&text, " of %d", profile.scan_length);
  if (profile.ordered) absl::StrAppend(&text, "; in order");
  if (profile.exact_keys) absl::StrAppend(&text, "; no two keys taken for one");
  absl::StrAppend(&text, "; ", BytesText(static_cast<double>(profile.memory_bytes)), " of memory");
  if (std::isfinite(profile.open_seconds)) {
    absl::StrAppend(&text, "; opening in ", SecondsText(profile.open_seconds));
  }
  if (std::isfinite(profile.recovery_seconds)) {
    absl::StrAppend(&text, "; opening after a crash in ", SecondsText(profile.recovery_seconds));
  }
  return text;
}

std::string Row(const Advice& advice, size_t i) {
  const Judgement& judgement = advice.recommendation.judgements[i];
  const Model& model = advice.evidence.models[i];
  const char* const fits = judgement.obstacle.empty() ? "yes" : "no";
  if (!model.tried) return absl::StrFormat("%-8s  %-4s  not tried\n", model.keystore, fits);
  const Prediction& prediction = judgement.prediction;
  return absl::StrFormat("%-8s  %-4s %9s %9s %7.2f %8s %8s %8s %8s %8s\n", model.keystore, fits,
                         BytesText(prediction.memory_bytes), BytesText(prediction.disk_bytes),
                         model.written_per_byte, Cell(model.seconds.get),
                         Cell(PutSeconds(advice.profile, model)), Cell(model.seconds.scan),
                         Cell(prediction.open_seconds), Cell(prediction.recovery_seconds));
}

nlohmann::ordered_json AsJson(const Profile& profile) {
  nlohmann::ordered_json json = {
      {"keys", profile.keys},
      {"entry_bytes", profile.EntryBytes()},
      {"gets", profile.gets},
      {"overwrites", profile.overwrites},
      {"inserts", profile.inserts},
      {"scans", profile.scans},
      {"scan_length", profile.scan_length},
      {"ordered", profile.NeedsOrder()},
      {"exact_keys", profile.exact_keys},
      {"memory_bytes", profile.memory_bytes},
  };
  // JSON has no number for what is not limited.
  json["open_seconds"] = nullptr;
  json["recovery_seconds"] = nullptr;
  if (std::isfinite(profile.open_seconds)) json["open_seconds"] = profile.open_seconds;
  if (std::isfinite(profile.recovery_seconds)) json["recovery_seconds"] = profile.recovery_seconds;
  return json;
}

nlohmann::ordered_json KeystoreAsJson(const Advice& advice, size_t i) {
  const Judgement& judgement = advice.recommendation.judgements[i];
  const Model& model = advice.evidence.models[i];
  nlohmann::ordered_json json = {
      {"keystore", model.keystore},
      {"fits", judgement.obstacle.empty()},
      {"obstacle", judgement.obstacle},
      {"tried", model.tried},
  };
  if (!model.tried) return json;
  json.update({
      {"memory_bytes", std::llround(judgement.prediction.memory_bytes)},
      {"burst_bytes", std::llround(model.burst_bytes)},
      {"disk_bytes", std::llround(judgement.prediction.disk_bytes)},
      {"written_per_byte", model.written_per_byte},
      {"get_seconds", model.seconds.get},
      {"put_seconds", PutSeconds(advice.profile, model)},
      {"scan_seconds", model.seconds.scan},
      {"open_seconds", judgement.prediction.open_seconds},
      {"recovery_seconds", judgement.prediction.recovery_seconds},
      {"operation_seconds", judgement.cost},
  });
  return json;
}

// The part of the text that says how far it may be believed.
std::string Limits(const Advice& advice) {
  return absl::StrFormat(
      "Tried with %s on %s, which writes %s/s in order. Gets, puts and scans are given in "
      "processor time, at that size and with all data in the page cache: what is read often wants "
      "room there, beside the memory above. While writers are faster than an index on disk, its "
      "buffers take more. Opening is estimated from above: the trials' segments are smaller, so "
      "that each key has a larger part in what it costs to open one. Written is what a trial of "
      "that size has written for each byte; a larger RocksDB has more levels.",
      cli::FormatCount(advice.trial_keys, "key"), advice.device,
      BytesText(advice.evidence.device_bytes_per_second));
}

}  // namespace

std::string AsTable(const Advice& advice) {
  const Recommendation& recommendation = advice.recommendation;
  std::string text = cli::Wrapped(ProfileText(advice.profile), 2) + "\n\n";
  absl::StrAppendFormat(&text, "%-8s  %-4s %9s %9s %7s %8s %8s %8s %8s %8s\n", "keystore", "fits",
                        "memory", "disk", "written", "get", "put", "scan", "open", "crash");
  for (size_t i = 0; i < recommendation.judgements.size(); ++i) text += Row(advice, i);
  const char* before = "\n";
  for (const Judgement& judgement : recommendation.judgements) {
    if (judgement.obstacle.empty()) continue;
    absl::StrAppend(&text, before);
    before = "";
    absl::StrAppend(
        &text,
        cli::Wrapped(absl::StrCat(judgement.keystore, " does not fit: ", judgement.obstacle), 2),
        "\n");
  }
  absl::StrAppend(
      &text, "\nRecommended: ", recommendation.keystore.empty() ? "none" : recommendation.keystore,
      "\n", cli::Wrapped(recommendation.reason, 2), "\n");
  if (!recommendation.caution.empty()) {
    absl::StrAppend(&text, cli::Wrapped(recommendation.caution, 2), "\n");
  }
  if (!recommendation.changes.empty()) absl::StrAppend(&text, "\nWhat would change it:\n");
  for (const Change& change : recommendation.changes) {
    absl::StrAppend(
        &text, cli::Wrapped(absl::StrFormat("  %-8s %s", change.keystore, change.condition), 11),
        "\n");
  }
  absl::StrAppend(&text, "\n", cli::Wrapped(Limits(advice), 0), "\n");
  return cli::Printable(text, cli::Escaping::kLines);
}

std::string AsJson(const Advice& advice) {
  nlohmann::ordered_json json = {
      {"profile", AsJson(advice.profile)},
      {"trial_keys", advice.trial_keys},
      {"device", advice.device},
      {"device_bytes_per_second", advice.evidence.device_bytes_per_second},
  };
  json["keystores"] = nlohmann::ordered_json::array();
  for (size_t i = 0; i < advice.evidence.models.size(); ++i) {
    json["keystores"].push_back(KeystoreAsJson(advice, i));
  }
  json["recommended"] = advice.recommendation.keystore;
  json["reason"] = advice.recommendation.reason;
  json["caution"] = advice.recommendation.caution;
  json["changes"] = nlohmann::ordered_json::array();
  for (const Change& change : advice.recommendation.changes) {
    json["changes"].push_back({{"keystore", change.keystore},
                               {"figure", change.figure},
                               {"condition", change.condition}});
  }
  return cli::JsonText(json, /*indent=*/2) + "\n";
}

}  // namespace rumcask::advise
