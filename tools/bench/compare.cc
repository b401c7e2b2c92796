#include "tools/bench/compare.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "tools/bench/table.h"
#include "tools/cli/printable.h"
#include "tools/cli/wrapped.h"

namespace rumcask::bench {
namespace {

std::string FactOf(const Facts& facts, std::string_view name) {
  for (const auto& [known, value] : facts) {
    if (known == name) return value;
  }
  return "nothing";
}

// "threads 1 and 2, num 10 and 20"; empty if there are no differences.
std::string Differences(const Facts& before, const Facts& after) {
  Facts names = before;
  for (const auto& fact : after) {
    if (FactOf(before, fact.first) == "nothing") names.push_back(fact);
  }
  std::string text;
  for (const auto& [name, value] : names) {
    const std::string old_value = FactOf(before, name);
    const std::string new_value = FactOf(after, name);
    if (old_value == new_value) continue;
    absl::StrAppend(&text, text.empty() ? "" : "; ", name, ": ", old_value, " and ", new_value);
  }
  return text;
}

Spread TailOf(const Result& result) {
  std::vector<double> figures;
  for (const Measurement& m : result.rounds) {
    figures.push_back(static_cast<double>(m.latency.ValueAtPercentile(99)));
  }
  return SpreadOf(figures);
}

void Judge(const Result& before, const Result& after, double threshold, Comparison* comparison) {
  const Measurement& sample = before.rounds.front();
  const bool tail = sample.target > 0;
  const bool less_is_better = tail || sample.single;
  comparison->figure = tail ? "p99 ns" : sample.single ? "seconds" : "operations/s";
  comparison->before = tail ? TailOf(before) : SpeedOf(before);
  comparison->after = tail ? TailOf(after) : SpeedOf(after);
  const Spread& old_figures = comparison->before;
  const Spread& new_figures = comparison->after;
  if (old_figures.median > 0) {
    const double growth = new_figures.median / old_figures.median - 1;
    comparison->change = less_is_better ? -growth : growth;
  }
  constexpr size_t kMinRounds = Comparison::kMinRounds;
  if (std::min(before.rounds.size(), after.rounds.size()) < kMinRounds) {
    comparison->verdict = Comparison::Verdict::kTooFewRounds;
    return;
  }
  const bool below = new_figures.max < old_figures.min;
  const bool above = new_figures.min > old_figures.max;
  if (std::abs(comparison->change) <= threshold) return;
  if (sample.single || (!below && !above)) {
    comparison->verdict =
        sample.single ? Comparison::Verdict::kOnce : Comparison::Verdict::kUnclear;
    return;
  }
  comparison->verdict =
      below == less_is_better ? Comparison::Verdict::kBetter : Comparison::Verdict::kWorse;
}

// Four digits; large figures are written out and not as powers of ten.
std::string Figure(double figure) {
  return figure >= 1000 ? absl::StrFormat("%.0f", figure) : absl::StrFormat("%.4g", figure);
}

std::string Band(const Spread& spread) {
  return absl::StrFormat("%s (%s-%s)", Figure(spread.median), Figure(spread.min),
                         Figure(spread.max));
}

}  // namespace

absl::StatusOr<std::vector<Comparison>> Compare(const Report& before, const Report& after,
                                                double threshold) {
  const std::string differences = Differences(before.settings, after.settings);
  if (!differences.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the runs did different work: ", differences));
  }
  std::vector<Comparison> comparisons;
  const auto add = [&comparisons](const Result& result) {
    comparisons.emplace_back();
    comparisons.back().benchmark = result.benchmark;
    comparisons.back().system = result.system;
    return &comparisons.back();
  };
  for (const Result& result : before.results) {
    const Result* other = after.Find(result.benchmark, result.system);
    const bool other_done = other != nullptr && other->Done();
    if (!result.Done() && !other_done) continue;
    Comparison* const comparison = add(result);
    if (result.Done() && other_done) {
      Judge(result, *other, threshold, comparison);
    } else {
      // What worked before and fails now counts as worse than slow.
      comparison->verdict = result.Done() && other != nullptr ? Comparison::Verdict::kWorse
                                                              : Comparison::Verdict::kMissing;
    }
  }
  for (const Result& result : after.results) {
    if (result.Done() && before.Find(result.benchmark, result.system) == nullptr) {
      add(result)->verdict = Comparison::Verdict::kMissing;
    }
  }
  return comparisons;
}

std::string VerdictText(Comparison::Verdict verdict) {
  switch (verdict) {
    case Comparison::Verdict::kSame:
      return "same";
    case Comparison::Verdict::kUnclear:
      return "unclear";
    case Comparison::Verdict::kOnce:
      return "once a round, not judged";
    case Comparison::Verdict::kBetter:
      return "better";
    case Comparison::Verdict::kWorse:
      return "WORSE";
    case Comparison::Verdict::kTooFewRounds:
      return absl::StrFormat("needs %d rounds", Comparison::kMinRounds);
    case Comparison::Verdict::kMissing:
      return "in one run only";
  }
  return "";
}

std::string MachineDifferences(const Report& before, const Report& after) {
  return Differences(before.machine, after.machine);
}

bool AnyWorse(const std::vector<Comparison>& comparisons) {
  return std::any_of(comparisons.begin(), comparisons.end(), [](const Comparison& comparison) {
    return comparison.verdict == Comparison::Verdict::kWorse;
  });
}

std::string ComparisonTable(const Report& before, const Report& after,
                            const std::vector<Comparison>& comparisons) {
  std::string text;
  const std::string machines = MachineDifferences(before, after);
  if (!machines.empty()) {
    text = cli::Wrapped(cli::Printable("The machines differ: " + machines), 2) + "\n";
  }
  std::vector<std::vector<std::string>> rows = {
      {"", "", "verdict", "change", "", "before", "after"}};
  for (const Comparison& comparison : comparisons) {
    const bool judged = !comparison.figure.empty();
    rows.push_back({comparison.benchmark, comparison.system, VerdictText(comparison.verdict),
                    judged ? absl::StrFormat("%+.1f %%", 100 * comparison.change) : "",
                    comparison.figure, judged ? Band(comparison.before) : "",
                    judged ? Band(comparison.after) : ""});
  }
  return text + Aligned(rows, /*labels=*/2);
}

}  // namespace rumcask::bench
