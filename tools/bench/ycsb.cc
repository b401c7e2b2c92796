#include "tools/bench/ycsb.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "core/system/text.h"

namespace rumcask::bench {
namespace {

// The properties of YCSB's CoreWorkload and Client that have a meaning here.
constexpr std::string_view kKnown[] = {
    "fieldcount",
    "fieldlength",
    "insertorder",
    "insertproportion",
    "maxexecutiontime",
    "maxscanlength",
    "minscanlength",
    "operationcount",
    "readmodifywriteproportion",
    "readproportion",
    "recordcount",
    "requestdistribution",
    "scanlengthdistribution",
    "scanproportion",
    "threadcount",
    "updateproportion",
    "zipfianconstant",
};

// Properties whose value makes no difference, because there is one store, one table and one value
// per record.
constexpr std::string_view kIgnored[] = {
    "core_workload_insertion_retry_interval",
    "core_workload_insertion_retry_limit",
    "dataintegrity",
    "measurementtype",
    "readallfields",
    "table",
    "workload",
    "writeallfields",
};

struct Core {
  std::string_view letter;
  std::vector<std::pair<std::string_view, std::string_view>> properties;
};

// The same as in YCSB's files workloads/workloada to workloadf.
const std::vector<Core>& CoreWorkloads() {
  static const auto* const workloads = new std::vector<Core>{
      {"a", {{"readproportion", "0.5"}, {"updateproportion", "0.5"}}},
      {"b", {{"readproportion", "0.95"}, {"updateproportion", "0.05"}}},
      {"c", {{"readproportion", "1"}, {"updateproportion", "0"}}},
      {"d",
       {{"readproportion", "0.95"},
        {"updateproportion", "0"},
        {"insertproportion", "0.05"},
        {"requestdistribution", "latest"}}},
      {"e",
       {{"readproportion", "0"},
        {"updateproportion", "0"},
        {"scanproportion", "0.95"},
        {"insertproportion", "0.05"},
        {"maxscanlength", "100"}}},
      {"f",
       {{"readproportion", "0.5"},
        {"updateproportion", "0"},
        {"readmodifywriteproportion", "0.5"}}},
  };
  return *workloads;
}

template <typename Names>
bool Contains(const Names& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace

absl::StatusOr<YcsbProperties> YcsbProperties::OfWorkload(std::string_view letter) {
  for (const Core& core : CoreWorkloads()) {
    if (core.letter != letter) continue;
    YcsbProperties properties;
    properties.letter_ = std::string(letter);
    properties.values_["requestdistribution"] = "zipfian";
    for (const auto& [name, value] : core.properties) {
      properties.values_[std::string(name)] = std::string(value);
    }
    return properties;
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("unknown workload '%s'; there are a, b, c, d, e and f", letter));
}

absl::Status YcsbProperties::Set(std::string_view name, std::string_view value) {
  if (Contains(kIgnored, name)) return absl::OkStatus();
  if (!Contains(kKnown, name)) {
    return absl::InvalidArgumentError(absl::StrFormat("unknown property '%s'", name));
  }
  values_[std::string(name)] = std::string(value);
  return absl::OkStatus();
}

absl::Status YcsbProperties::SetPair(std::string_view pair) {
  const size_t equals = pair.find('=');
  if (equals == std::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrFormat("'%s' is not name=value", pair));
  }
  const auto trimmed = [](std::string_view text) {
    return std::string(absl::StripAsciiWhitespace(Text(text)));
  };
  return Set(trimmed(pair.substr(0, equals)), trimmed(pair.substr(equals + 1)));
}

absl::Status YcsbProperties::SetAll(std::string_view file_name, std::string_view text) {
  int number = 0;
  for (const absl::string_view raw : absl::StrSplit(Text(text), '\n')) {
    ++number;
    const absl::string_view line = absl::StripAsciiWhitespace(raw);
    if (line.empty() || line[0] == '#') continue;
    const absl::Status status = SetPair({line.data(), line.size()});
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s:%d: %s", file_name, number, status.message()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> YcsbProperties::Number(std::string_view name, uint64_t missing) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return missing;
  uint64_t number = 0;
  if (!absl::SimpleAtoi(found->second, &number)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: '%s' is no number from 0 on", name, found->second));
  }
  return number;
}

absl::StatusOr<double> YcsbProperties::Share(std::string_view name, double missing) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return missing;
  double share = 0;
  if (!absl::SimpleAtod(found->second, &share) || !(share >= 0 && share <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: '%s' is no share from 0 to 1", name, found->second));
  }
  return share;
}

absl::StatusOr<std::string> YcsbProperties::OneOf(std::string_view name,
                                                  const std::vector<std::string>& allowed) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return allowed.front();
  if (!Contains(allowed, found->second)) {
    return absl::InvalidArgumentError(absl::StrFormat("%s: '%s' is none of %s", name, found->second,
                                                      absl::StrJoin(allowed, ", ")));
  }
  return found->second;
}

absl::StatusOr<uint64_t> YcsbProperties::RecordBytes() const {
  const absl::StatusOr<uint64_t> count = Number("fieldcount", 10);
  if (!count.ok()) return count.status();
  const absl::StatusOr<uint64_t> length = Number("fieldlength", 100);
  if (!length.ok()) return length.status();
  constexpr uint64_t kMost = uint64_t{64} << 20;
  if (*count > kMost || *length > kMost || *count * *length > kMost) {
    return absl::InvalidArgumentError(
        absl::StrFormat("fieldcount x fieldlength is more than %d bytes", kMost));
  }
  return *count * *length;
}

absl::StatusOr<uint64_t> YcsbProperties::ThreadCount() const { return Number("threadcount", 0); }

absl::StatusOr<Workload> YcsbProperties::LoadPhase() const {
  Workload workload;
  workload.name = "load";
  workload.fresh = true;
  workload.updates = 1;
  workload.order = KeyOrder::kSequential;
  const absl::StatusOr<uint64_t> records = Number("recordcount", 1000);
  if (!records.ok()) return records.status();
  if (*records == 0) return absl::InvalidArgumentError("recordcount: must not be 0");
  workload.keys = workload.operations = *records;
  const absl::StatusOr<std::string> order = OneOf("insertorder", {"hashed", "ordered"});
  if (!order.ok()) return order.status();
  workload.hashed_keys = *order == "hashed";
  return workload;
}

absl::StatusOr<Workload> YcsbProperties::RunPhase() const {
  absl::StatusOr<Workload> workload = RunPhaseOfAnySum();
  if (!workload.ok()) return workload;
  const double sum = workload->reads + workload->updates + workload->inserts + workload->scans +
                     workload->read_modify_writes;
  if (std::abs(sum - 1) > 1e-6) {
    return absl::InvalidArgumentError(absl::StrFormat("the proportions add up to %g, not 1", sum));
  }
  return workload;
}

absl::StatusOr<Workload> YcsbProperties::RunPhaseOfAnySum() const {
  absl::StatusOr<Workload> workload = LoadPhase();
  if (!workload.ok()) return workload.status();
  workload->name = letter_;
  workload->fresh = false;

  const absl::StatusOr<uint64_t> operations = Number("operationcount", 1000);
  if (!operations.ok()) return operations.status();
  workload->operations = *operations;
  const absl::StatusOr<uint64_t> seconds = Number("maxexecutiontime", 0);
  if (!seconds.ok()) return seconds.status();
  workload->seconds = static_cast<double>(*seconds);

  const std::pair<std::string_view, double*> kShares[] = {
      {"readproportion", &workload->reads},
      {"updateproportion", &workload->updates},
      {"insertproportion", &workload->inserts},
      {"scanproportion", &workload->scans},
      {"readmodifywriteproportion", &workload->read_modify_writes},
  };
  for (const auto& [name, share] : kShares) {
    const absl::StatusOr<double> value = Share(name, 0);
    if (!value.ok()) return value.status();
    *share = *value;
  }

  const absl::StatusOr<std::string> distribution =
      OneOf("requestdistribution", {"uniform", "zipfian", "latest", "sequential"});
  if (!distribution.ok()) return distribution.status();
  workload->order = *distribution == "zipfian"   ? KeyOrder::kZipfian
                    : *distribution == "latest"  ? KeyOrder::kLatest
                    : *distribution == "uniform" ? KeyOrder::kUniform
                                                 : KeyOrder::kSequential;
  const absl::StatusOr<double> theta = Share("zipfianconstant", Zipf::kTheta);
  if (!theta.ok()) return theta.status();
  if (*theta <= 0 || *theta >= 1) {
    return absl::InvalidArgumentError("zipfianconstant: must be above 0 and below 1");
  }
  workload->theta = *theta;

  const absl::StatusOr<std::string> lengths = OneOf("scanlengthdistribution", {"uniform"});
  if (!lengths.ok()) return lengths.status();
  const absl::StatusOr<uint64_t> shortest = Number("minscanlength", 1);
  if (!shortest.ok()) return shortest.status();
  const absl::StatusOr<uint64_t> longest = Number("maxscanlength", 1000);
  if (!longest.ok()) return longest.status();
  if (*shortest > *longest) {
    return absl::InvalidArgumentError("minscanlength is more than maxscanlength");
  }
  workload->min_scan_length = *shortest;
  workload->max_scan_length = *longest;
  return workload;
}

}  // namespace rumcask::bench
