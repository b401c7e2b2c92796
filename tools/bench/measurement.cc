#include "tools/bench/measurement.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace rumcask::bench {
namespace {

using Json = nlohmann::ordered_json;

Json OrNull(const std::optional<uint64_t>& count) { return count ? Json(*count) : Json(); }

std::optional<uint64_t> Count(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return json.get<uint64_t>();
}

const char* NameOf(Measurement::Outcome outcome) {
  switch (outcome) {
    case Measurement::Outcome::kDone:
      return "done";
    case Measurement::Outcome::kNotSupported:
      return "not supported";
    case Measurement::Outcome::kFailed:
      return "failed";
  }
  return "";
}

Measurement Parse(const Json& json) {
  Measurement m;
  m.benchmark = json.at("benchmark").get<std::string>();
  const std::string outcome = json.at("outcome").get<std::string>();
  m.outcome = outcome == "done"            ? Measurement::Outcome::kDone
              : outcome == "not supported" ? Measurement::Outcome::kNotSupported
                                           : Measurement::Outcome::kFailed;
  m.remark = json.at("remark").get<std::string>();
  m.single = json.at("single").get<bool>();
  m.operations = json.at("operations").get<uint64_t>();
  m.puts = json.at("puts").get<uint64_t>();
  m.reads = json.at("reads").get<uint64_t>();
  m.found = json.at("found").get<uint64_t>();
  m.read_bytes = json.at("read_bytes").get<uint64_t>();
  m.written_bytes = json.at("written_bytes").get<uint64_t>();
  m.seconds = json.at("seconds").get<double>();
  m.work = json.at("work").get<uint64_t>();
  m.target = json.at("target").get<double>();
  m.sustained = json.at("sustained").get<bool>();
  m.cpu_seconds = json.at("cpu_seconds").get<double>();
  m.device_bytes = Count(json.at("device_bytes"));
  m.system_calls = Count(json.at("system_calls"));
  m.instructions = Count(json.at("instructions"));
  m.memory_bytes = json.at("memory_bytes").get<uint64_t>();
  // Reports of earlier releases lack it.
  m.peak_memory_bytes = json.value("peak_memory_bytes", m.memory_bytes);
  m.disk_bytes = json.at("disk_bytes").get<uint64_t>();
  m.live_keys = json.at("live_keys").get<uint64_t>();
  m.live_bytes = json.at("live_bytes").get<uint64_t>();
  const Json& latency = json.at("latency");
  m.latency =
      Histogram::FromBuckets(latency.at("buckets").get<std::vector<std::pair<size_t, uint64_t>>>(),
                             latency.at("min").get<uint64_t>(), latency.at("max").get<uint64_t>(),
                             latency.at("sum").get<uint64_t>());
  // Reports of earlier releases lack it.
  std::vector<Timeline::Point> points;
  for (const auto& [seconds, operations] :
       json.value("timeline", std::vector<std::pair<double, uint64_t>>())) {
    points.push_back({seconds, operations});
  }
  m.timeline = Timeline::FromPoints(std::move(points));
  return m;
}

}  // namespace

Json ToJson(const Measurement& m) {
  Json json = {
      {"benchmark", m.benchmark},
      {"outcome", NameOf(m.outcome)},
      {"remark", m.remark},
      {"single", m.single},
      {"operations", m.operations},
      {"puts", m.puts},
      {"reads", m.reads},
      {"found", m.found},
      {"read_bytes", m.read_bytes},
      {"written_bytes", m.written_bytes},
      {"seconds", m.seconds},
      {"work", m.work},
      {"target", m.target},
      {"sustained", m.sustained},
      {"cpu_seconds", m.cpu_seconds},
      {"device_bytes", OrNull(m.device_bytes)},
      {"system_calls", OrNull(m.system_calls)},
      {"instructions", OrNull(m.instructions)},
      {"memory_bytes", m.memory_bytes},
      {"peak_memory_bytes", m.peak_memory_bytes},
      {"disk_bytes", m.disk_bytes},
      {"live_keys", m.live_keys},
      {"live_bytes", m.live_bytes},
  };
  json["latency"] = {{"min", m.latency.min()},
                     {"max", m.latency.max()},
                     {"sum", m.latency.sum()},
                     {"buckets", m.latency.Buckets()}};
  json["timeline"] = Json::array();
  for (const Timeline::Point& point : m.timeline.points()) {
    json["timeline"].push_back({point.seconds, point.operations});
  }
  return json;
}

absl::StatusOr<Measurement> MeasurementFromJson(const Json& json) {
  try {
    return Parse(json);
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("not a measurement: ", error.what()));
  }
}

}  // namespace rumcask::bench
