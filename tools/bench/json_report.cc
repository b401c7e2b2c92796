#include "tools/bench/json_report.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "nlohmann/json.hpp"

#include "tools/bench/measurement.h"
#include "tools/cli/json_text.h"
#include "tools/cli/printable.h"

namespace rumcask::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr char kVersionName[] = "rumcask_bench";

Json FactsJson(const Facts& facts) {
  Json json = Json::object();
  for (const auto& [name, value] : facts) json[name] = value;
  return json;
}

Facts FactsFromJson(const Json& json) {
  Facts facts;
  for (const auto& [name, value] : json.items()) facts.emplace_back(name, value.get<std::string>());
  return facts;
}

// The figures that a reader would otherwise have to compute.
Json Summary(const Result& result) {
  const Spread spread = SpeedOf(result);
  Json json;
  json[result.rounds.front().single ? "seconds" : "ops_per_second"] = {
      {"median", spread.median}, {"min", spread.min}, {"max", spread.max}};
  const Histogram latency = result.Latency();
  Json& percentiles = json[result.rounds.front().target > 0 ? "response_ns" : "service_ns"];
  for (const double percentile : kPercentiles) {
    percentiles[absl::StrFormat("p%g", percentile)] = latency.ValueAtPercentile(percentile);
  }
  percentiles["max"] = latency.max();
  const Resources resources = ResourcesOf(result);
  const auto add = [&json](const char* name, const std::optional<double>& figure) {
    if (figure.has_value()) {
      json[name] = *figure;
    } else {
      json[name] = nullptr;
    }
  };
  add("last_change", LastChangeOf(result));
  add("cpu_ns_per_op", resources.cpu_nanoseconds);
  add("system_calls_per_op", resources.system_calls);
  add("instructions_per_op", resources.instructions);
  add("memory_bytes_per_key", resources.memory_per_key);
  add("peak_memory_bytes_per_key", resources.peak_memory_per_key);
  add("space_amplification", resources.space_amplification);
  add("write_amplification", resources.write_amplification);
  return json;
}

// May throw the exceptions of Json.
absl::StatusOr<Report> Parse(const Json& json) {
  Report report;
  report.command = json.at("command").get<std::string>();
  report.date = json.at("date").get<std::string>();
  report.machine = FactsFromJson(json.at("machine"));
  report.settings = FactsFromJson(json.at("settings"));
  for (const Json& system : json.at("systems")) {
    report.systems.push_back(
        {system.at("name").get<std::string>(), system.at("library").get<std::string>(),
         system.at("assertions").get<std::string>(), system.at("options").get<std::string>(),
         system.at("durability").get<std::string>()});
  }
  for (const Json& item : json.at("results")) {
    Result result;
    result.benchmark = item.at("benchmark").get<std::string>();
    result.system = item.at("system").get<std::string>();
    for (const Json& round : item.at("rounds")) {
      absl::StatusOr<Measurement> measurement = MeasurementFromJson(round);
      if (!measurement.ok()) return measurement.status();
      result.rounds.push_back(*std::move(measurement));
    }
    report.results.push_back(std::move(result));
  }
  return report;
}

// Remarks contain errors, which contain paths and other arbitrary bytes.
std::string Quoted(std::string_view raw) {
  const std::string text = cli::Printable(raw);
  if (text.find_first_of(",\"") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

}  // namespace

std::string AsJson(const Report& report) {
  Json json = {{kVersionName, kVersion}, {"command", report.command}, {"date", report.date}};
  json["machine"] = FactsJson(report.machine);
  json["settings"] = FactsJson(report.settings);
  json["systems"] = Json::array();
  for (const SystemReport& system : report.systems) {
    json["systems"].push_back({{"name", system.name},
                               {"library", system.library},
                               {"assertions", system.assertions},
                               {"options", system.options},
                               {"durability", system.durability}});
  }
  json["results"] = Json::array();
  for (const Result& result : report.results) {
    Json item = {{"benchmark", result.benchmark}, {"system", result.system}};
    if (result.Done()) item["summary"] = Summary(result);
    item["rounds"] = Json::array();
    for (const Measurement& m : result.rounds) item["rounds"].push_back(ToJson(m));
    json["results"].push_back(std::move(item));
  }
  return cli::JsonText(json, /*indent=*/1) + "\n";
}

absl::StatusOr<Report> ReportFromJson(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (!json.is_object() || !json.contains(kVersionName)) {
      return absl::InvalidArgumentError("not a report of rumcask_bench");
    }
    if (json.at(kVersionName) != kVersion) {
      return absl::InvalidArgumentError("a report of another version of rumcask_bench");
    }
    return Parse(json);
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("not a report: ", error.what()));
  }
}

std::string AsCsv(const Report& report) {
  std::string text =
      "benchmark,system,round,outcome,operations,seconds,ops_per_second,reads,found,target,"
      "sustained";
  for (const double percentile : kPercentiles) absl::StrAppendFormat(&text, ",p%g_ns", percentile);
  absl::StrAppend(&text,
                  ",max_ns,cpu_ns_per_op,system_calls_per_op,instructions_per_op,"
                  "memory_bytes,memory_bytes_per_key,peak_memory_bytes,disk_bytes,space_"
                  "amplification,device_bytes,"
                  "write_amplification,live_keys,work,remark\n");
  const auto number = [](const std::optional<double>& figure) {
    return figure.has_value() ? absl::StrFormat("%.6g", *figure) : std::string();
  };
  for (const Result& result : report.results) {
    for (size_t i = 0; i < result.rounds.size(); ++i) {
      const Measurement& m = result.rounds[i];
      const bool done = m.outcome == Measurement::Outcome::kDone;
      const char* outcome = done                                         ? "done"
                            : m.outcome == Measurement::Outcome::kFailed ? "failed"
                                                                         : "not supported";
      const Resources resources = ResourcesOf(m);
      std::vector<std::string> cells = {Quoted(result.benchmark),
                                        Quoted(result.system),
                                        absl::StrCat(i + 1),
                                        outcome,
                                        absl::StrCat(m.operations),
                                        absl::StrFormat("%.6f", m.seconds),
                                        absl::StrFormat("%.1f", m.PerSecond()),
                                        absl::StrCat(m.reads),
                                        absl::StrCat(m.found),
                                        absl::StrFormat("%g", m.target),
                                        m.sustained ? "yes" : "no"};
      for (const double percentile : kPercentiles) {
        cells.push_back(absl::StrCat(m.latency.ValueAtPercentile(percentile)));
      }
      cells.push_back(absl::StrCat(m.latency.max()));
      cells.push_back(number(resources.cpu_nanoseconds));
      cells.push_back(number(resources.system_calls));
      cells.push_back(number(resources.instructions));
      cells.push_back(absl::StrCat(m.memory_bytes));
      cells.push_back(number(resources.memory_per_key));
      cells.push_back(absl::StrCat(m.peak_memory_bytes));
      cells.push_back(absl::StrCat(m.disk_bytes));
      cells.push_back(number(resources.space_amplification));
      cells.push_back(m.device_bytes.has_value() ? absl::StrCat(*m.device_bytes) : "");
      cells.push_back(number(resources.write_amplification));
      cells.push_back(absl::StrCat(m.live_keys));
      cells.push_back(absl::StrFormat("%016x", m.work));
      cells.push_back(Quoted(m.remark));
      absl::StrAppend(&text, absl::StrJoin(cells, ","), "\n");
    }
  }
  return text;
}

}  // namespace rumcask::bench
