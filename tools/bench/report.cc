#include "tools/bench/report.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "tools/cli/figures.h"

namespace rumcask::bench {

bool Result::Done() const {
  return !rounds.empty() && std::all_of(rounds.begin(), rounds.end(), [](const Measurement& m) {
    return m.outcome == Measurement::Outcome::kDone;
  });
}

std::string Result::WhyNot() const {
  for (const Measurement& m : rounds) {
    if (m.outcome == Measurement::Outcome::kNotSupported) {
      return "not supported: " + m.remark;
    }
    if (m.outcome == Measurement::Outcome::kFailed) return "failed: " + m.remark;
  }
  return rounds.empty() ? "did not run" : "";
}

Histogram Result::Latency() const {
  Histogram all;
  for (const Measurement& m : rounds) all.Merge(m.latency);
  return all;
}

const Result* Report::Find(std::string_view benchmark, std::string_view system) const {
  for (const Result& result : results) {
    if (result.benchmark == benchmark && result.system == system) return &result;
  }
  return nullptr;
}

std::vector<std::string> Report::Benchmarks() const {
  std::vector<std::string> names;
  for (const Result& result : results) {
    if (std::find(names.begin(), names.end(), result.benchmark) == names.end()) {
      names.push_back(result.benchmark);
    }
  }
  return names;
}

Spread SpreadOf(std::vector<double> figures) {
  if (figures.empty()) return {};
  std::sort(figures.begin(), figures.end());
  const size_t middle = figures.size() / 2;
  const double median =
      figures.size() % 2 == 1 ? figures[middle] : (figures[middle - 1] + figures[middle]) / 2;
  return {median, figures.front(), figures.back()};
}

Spread SpeedOf(const Result& result) {
  std::vector<double> figures;
  for (const Measurement& m : result.rounds) {
    figures.push_back(m.single ? m.seconds : m.PerSecond());
  }
  return SpreadOf(figures);
}

std::optional<double> LastChangeOf(const Result& result) {
  std::vector<double> changes;
  for (const Measurement& m : result.rounds) {
    const std::optional<double> change = m.timeline.LastChange();
    if (!change.has_value()) return std::nullopt;
    changes.push_back(*change);
  }
  if (changes.empty()) return std::nullopt;
  const auto middle = changes.begin() + static_cast<std::ptrdiff_t>(changes.size() / 2);
  std::nth_element(changes.begin(), middle, changes.end(),
                   [](double a, double b) { return std::abs(a) < std::abs(b); });
  return *middle;
}

std::string SteadinessOf(const Result& result) {
  const std::optional<double> change = LastChangeOf(result);
  if (!change.has_value()) {
    const bool recorded =
        std::all_of(result.rounds.begin(), result.rounds.end(),
                    [](const Measurement& m) { return !m.timeline.points().empty(); });
    return recorded ? "too short to tell whether the speed was steady"
                    : "its speed over time was not recorded";
  }
  if (std::abs(*change) <= kUnsteady) return "the speed was steady in the second half";
  return absl::StrFormat(
      "not steady: in the last quarter of the time %.0f %% %s than in the one before",
      100 * std::abs(*change), *change < 0 ? "slower" : "faster");
}

std::string RemarkOn(const Result& result) {
  if (!result.Done()) return result.WhyNot();
  const Measurement& last = result.rounds.back();
  std::vector<std::string> remarks;
  if (!std::all_of(result.rounds.begin(), result.rounds.end(),
                   [](const Measurement& m) { return m.sustained; })) {
    remarks.push_back(
        absl::StrFormat("target not sustained: %s of %s operations per second",
                        cli::FormatCount(static_cast<uint64_t>(SpeedOf(result).median)),
                        cli::FormatCount(static_cast<uint64_t>(last.target))));
  }
  if (std::abs(LastChangeOf(result).value_or(0)) > kUnsteady) {
    remarks.push_back(SteadinessOf(result));
  }
  if (last.found < last.reads) {
    remarks.push_back(cli::FormatShare(last.found, last.reads) + " of what was read was there");
  }
  if (!last.remark.empty()) remarks.push_back(last.remark);
  return absl::StrJoin(remarks, "; ");
}

Resources ResourcesOf(const Measurement& m) {
  const auto ratio = [](std::optional<double> whole, uint64_t parts) -> std::optional<double> {
    if (!whole.has_value() || parts == 0) return std::nullopt;
    return *whole / static_cast<double>(parts);
  };
  Resources resources;
  if (m.live_keys > 0) {
    resources.memory_per_key = ratio(static_cast<double>(m.memory_bytes), m.live_keys);
    resources.peak_memory_per_key = ratio(static_cast<double>(m.peak_memory_bytes), m.live_keys);
  }
  resources.disk_bytes = static_cast<double>(m.disk_bytes);
  resources.space_amplification = ratio(static_cast<double>(m.disk_bytes), m.live_bytes);
  resources.device_bytes = m.device_bytes;
  resources.write_amplification = ratio(resources.device_bytes, m.written_bytes);
  resources.cpu_nanoseconds = ratio(m.cpu_seconds * 1e9, m.operations);
  resources.system_calls = ratio(m.system_calls, m.operations);
  resources.instructions = ratio(m.instructions, m.operations);
  return resources;
}

Resources ResourcesOf(const Result& result) {
  const auto median = [&result](std::optional<double> Resources::*figure) {
    std::vector<double> figures;
    for (const Measurement& m : result.rounds) {
      const Resources resources = ResourcesOf(m);
      if ((resources.*figure).has_value()) figures.push_back(*(resources.*figure));
    }
    return figures.empty() ? std::nullopt : std::optional<double>(SpreadOf(figures).median);
  };
  Resources resources;
  for (const auto figure :
       {&Resources::memory_per_key, &Resources::peak_memory_per_key, &Resources::disk_bytes,
        &Resources::device_bytes, &Resources::write_amplification, &Resources::space_amplification,
        &Resources::cpu_nanoseconds, &Resources::system_calls, &Resources::instructions}) {
    resources.*figure = median(figure);
  }
  return resources;
}

}  // namespace rumcask::bench
