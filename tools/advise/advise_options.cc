#include "tools/advise/advise_options.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"

#include "core/system/text.h"
#include "tools/bench/random.h"
#include "tools/bench/value_sizes.h"
#include "tools/bench/ycsb.h"
#include "tools/cli/file_content.h"

namespace rumcask::advise {
namespace {

absl::Status SetNumber(std::string_view flag, const std::optional<std::string>& text,
                       double* number) {
  if (!text.has_value()) return absl::OkStatus();
  if (absl::SimpleAtod(*text, number) && std::isfinite(*number) && *number >= 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("%s: '%s' is no number from 0 on", flag, *text));
}

absl::Status SetCount(std::string_view flag, const std::optional<std::string>& text,
                      uint64_t* count) {
  if (!text.has_value()) return absl::OkStatus();
  constexpr uint64_t kMost = 1000000000000000;
  if (absl::SimpleAtoi(*text, count) && *count > 0 && *count <= kMost) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("%s: '%s' is no number from 1 to 10^15", flag, *text));
}

// "8GiB", "512 MiB", "1000000"
absl::Status SetBytes(std::string_view flag, std::string_view text, uint64_t* bytes) {
  if (text.empty()) return absl::OkStatus();
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0}};
  std::string_view number = text;
  double unit = 1;
  for (const auto& [name, size] : kUnits) {
    if (number.size() < name.size()) continue;
    if (number.substr(number.size() - name.size()) != name) continue;
    number.remove_suffix(name.size());
    unit = size;
    break;
  }
  double count = 0;
  constexpr double kMost = 1e18;
  if (absl::SimpleAtod(Text(number), &count) && count > 0 && count * unit <= kMost) {
    *bytes = static_cast<uint64_t>(count * unit);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s: '%s' is no number of bytes; KiB, MiB, GiB or TiB may follow it", flag, text));
}

// A sample of the distribution that `text` describes; always the same one.
absl::Status SetSample(std::string_view flag, std::string_view text,
                       std::vector<uint32_t>* sample) {
  if (text.empty()) return absl::OkStatus();
  const absl::StatusOr<bench::ValueSizes> sizes = bench::ValueSizes::Parse(text);
  if (!sizes.ok()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: '%s' is no length up to %d bytes; there are BYTES, uniform:FROM-TO, "
                        "normal:MEAN,DEVIATION and pareto:SHAPE,SCALE",
                        flag, text, bench::ValueSizes::kMax));
  }
  constexpr int kSample = 4096;
  bench::Random random(1);
  sample->clear();
  for (int i = 0; i < kSample; ++i) sample->push_back(static_cast<uint32_t>(sizes->Next(&random)));
  return absl::OkStatus();
}

absl::Status SetPopular(const std::string& text, bench::KeyOrder* popular) {
  if (text.empty()) return absl::OkStatus();
  constexpr std::pair<std::string_view, bench::KeyOrder> kOrders[] = {
      {"uniform", bench::KeyOrder::kUniform},
      {"zipfian", bench::KeyOrder::kZipfian},
      {"latest", bench::KeyOrder::kLatest}};
  for (const auto& [name, order] : kOrders) {
    if (text != name) continue;
    *popular = order;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("--popular: '%s' is none of uniform, zipfian, latest", text));
}

// Whether the flags give the mix, as a whole.
bool GiveMix(const AdviseOptions& options) {
  return options.gets || options.overwrites || options.inserts || options.scans;
}

absl::StatusOr<bench::YcsbProperties> PropertiesOf(const AdviseOptions& options) {
  bench::YcsbProperties properties;
  for (const std::string& file : options.property_files) {
    const absl::StatusOr<std::string> text = cli::FileContent(file);
    if (!text.ok()) return absl::InvalidArgumentError(text.status().message());
    const absl::Status status = properties.SetAll(file, *text);
    if (!status.ok()) return status;
  }
  for (const std::string& pair : options.properties) {
    const absl::Status status = properties.SetPair(pair);
    if (!status.ok()) return status;
  }
  return properties;
}

bool HasAny(const bench::YcsbProperties& properties,
            std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return properties.Has(name); });
}

// What a workload of YCSB says. YCSB's defaults of what it does not name would replace what is
// known from elsewhere.
absl::Status SetFromYcsb(const AdviseOptions& options, Profile* profile) {
  const absl::StatusOr<bench::YcsbProperties> properties = PropertiesOf(options);
  if (!properties.ok()) return properties.status();
  const bool mix = !GiveMix(options) &&
                   HasAny(*properties, {"readproportion", "updateproportion", "insertproportion",
                                        "scanproportion", "readmodifywriteproportion"});
  const absl::StatusOr<bench::Workload> workload =
      mix ? properties->RunPhase() : properties->RunPhaseOfAnySum();
  if (!workload.ok()) return workload.status();
  const absl::StatusOr<uint64_t> record = properties->RecordBytes();
  if (!record.ok()) return record.status();
  if (mix) {
    // A change of a record is a get and an overwrite.
    profile->gets = workload->reads + workload->read_modify_writes;
    profile->overwrites = workload->updates + workload->read_modify_writes;
    profile->inserts = workload->inserts;
    profile->scans = workload->scans;
  }
  if (properties->Has("recordcount")) profile->keys = workload->keys;
  if (HasAny(*properties, {"fieldcount", "fieldlength"})) {
    profile->value_bytes = {static_cast<uint32_t>(*record)};
  }
  if (HasAny(*properties, {"minscanlength", "maxscanlength"})) {
    profile->scan_length =
        std::max<uint64_t>((workload->min_scan_length + workload->max_scan_length) / 2, 1);
  }
  if (properties->Has("requestdistribution")) profile->popular = workload->order;
  if (properties->Has("zipfianconstant")) profile->theta = workload->theta;
  if (properties->Has("insertorder")) profile->ascending = !workload->hashed_keys;
  return absl::OkStatus();
}

// What is not named does not happen.
absl::Status SetMix(const AdviseOptions& options, Profile* profile) {
  if (!GiveMix(options)) return absl::OkStatus();
  profile->gets = profile->overwrites = profile->inserts = profile->scans = 0;
  absl::Status status = SetNumber("--gets", options.gets, &profile->gets);
  status.Update(SetNumber("--overwrites", options.overwrites, &profile->overwrites));
  status.Update(SetNumber("--inserts", options.inserts, &profile->inserts));
  status.Update(SetNumber("--scans", options.scans, &profile->scans));
  return status;
}

}  // namespace

void DeclareFlags(cli::CommandLine* line, AdviseOptions* options) {
  line->Option("--keys", "N", &options->keys, "How many keys there will be");
  line->Option("--key-size", "BYTES", &options->key_size,
               "Their length, or a distribution as for --value-size; default 16");
  line->Option("--value-size", "BYTES", &options->value_size,
               "Length of values: BYTES, uniform:FROM-TO, normal:MEAN,DEVIATION or "
               "pareto:SHAPE,SCALE; default 100");
  line->Option("--gets", "PARTS", &options->gets,
               "Parts of the operations that read a key; with the next three the whole mix, of "
               "which any may be left out; default 1 get, 1 overwrite");
  line->Option("--overwrites", "PARTS", &options->overwrites, "That put a key that is there");
  line->Option("--inserts", "PARTS", &options->inserts, "That put a new key");
  line->Option("--scans", "PARTS", &options->scans, "That read keys in order from one on");
  line->Option("--scan-length", "N", &options->scan_length, "Keys of a scan; default 50");
  line->Option("--popular", "WHICH", &options->popular,
               "Keys that are read and overwritten: uniform, the default; zipfian, a few of them "
               "most; latest, the newest most");
  line->Flag("--ascending", &options->ascending, "Keys are inserted in their order, as times are");
  line->RepeatedOption("-P", "FILE", &options->property_files,
                       "Properties of YCSB for all of the above but the length of keys; what they "
                       "do not name has the defaults above, not YCSB's");
  line->RepeatedOption("-p", "NAME=VALUE", &options->properties, "One such property");
  line->Flag("--ordered", &options->ordered, "Keys are wanted in order; scans imply it");
  line->Flag("--exact-keys", &options->exact_keys,
             "Accept no odds, however small, that two keys are taken for one");
  line->Option("--memory", "BYTES", &options->memory,
               "What the database may take beside the page cache, such as 8GiB; default: all of "
               "this machine's");
  line->Option("--open-within", "SECONDS", &options->open_within,
               "How long opening may take after a clean close; it is estimated from above");
  line->Option("--recover-within", "SECONDS", &options->recover_within,
               "How long opening may take after a crash; it is estimated from above");
}

absl::StatusOr<Profile> ProfileOf(const AdviseOptions& options, const Profile& base) {
  Profile profile = base;
  absl::Status status = SetFromYcsb(options, &profile);
  status.Update(SetCount("--keys", options.keys, &profile.keys));
  if (!options.key_size.empty()) profile.longest_key_bytes = 0;
  status.Update(SetSample("--key-size", options.key_size, &profile.key_bytes));
  status.Update(SetSample("--value-size", options.value_size, &profile.value_bytes));
  status.Update(SetMix(options, &profile));
  status.Update(SetPopular(options.popular, &profile.popular));
  status.Update(SetBytes("--memory", options.memory, &profile.memory_bytes));
  status.Update(SetNumber("--open-within", options.open_within, &profile.open_seconds));
  status.Update(SetNumber("--recover-within", options.recover_within, &profile.recovery_seconds));
  status.Update(SetCount("--scan-length", options.scan_length, &profile.scan_length));
  if (!status.ok()) return status;
  profile.ascending |= options.ascending;
  profile.ordered |= options.ordered;
  profile.exact_keys |= options.exact_keys;
  if (profile.keys == 0) {
    return absl::InvalidArgumentError(
        "the number of keys is missing: give --keys, a property file or --from-db");
  }
  status = Check(profile);
  if (status.ok()) status = MakeShares(&profile);
  if (!status.ok()) return status;
  return profile;
}

}  // namespace rumcask::advise
