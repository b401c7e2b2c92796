#include "tools/bench/schedule.h"

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

#include "tools/bench/child_process.h"
#include "tools/bench/measurement.h"
#include "tools/bench/store_files.h"
#include "tools/cli/json_text.h"
#include "tools/cli/progress.h"

namespace rumcask::bench {
namespace {

using Json = nlohmann::ordered_json;

std::vector<Measurement> Failed(const Schedule& schedule, const absl::Status& status) {
  std::vector<Measurement> measurements(schedule.pass.workloads.size() + 1);
  for (Measurement& m : measurements) SetOutcome(status, &m);
  return measurements;
}

absl::StatusOr<std::vector<Measurement>> FromJson(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_array()) return absl::InternalError("the process of the store ended early");
  std::vector<Measurement> measurements;
  for (const Json& item : json) {
    absl::StatusOr<Measurement> measurement = MeasurementFromJson(item);
    if (!measurement.ok()) return measurement.status();
    measurements.push_back(*std::move(measurement));
  }
  return measurements;
}

std::vector<Measurement> RunPass(const Schedule& schedule, const PassSettings& settings,
                                 const EngineType& type, Clock* clock) {
  const auto run = [&] { return Pass(settings, type, clock).Run(); };
  if (!schedule.isolate) return run();
  const absl::StatusOr<std::string> text = RunInChild([&run] {
    Json json = Json::array();
    for (const Measurement& m : run()) json.push_back(ToJson(m));
    return cli::JsonText(json, /*indent=*/-1);
  });
  absl::StatusOr<std::vector<Measurement>> measurements =
      text.ok() ? FromJson(*text) : text.status();
  if (measurements.ok() && measurements->size() != schedule.pass.workloads.size() + 1) {
    measurements = absl::InternalError("the process of the store ended early");
  }
  return measurements.ok() ? *std::move(measurements) : Failed(schedule, measurements.status());
}

// Shows how far the whole run has got.
void ShowProgress(const Schedule& schedule, int round, const std::string& system,
                  PassSettings* settings) {
  if (schedule.show == nullptr) return;
  auto state = std::make_shared<std::pair<std::string, std::chrono::steady_clock::time_point>>();
  settings->announce = [=, show = schedule.show,
                        rounds = schedule.rounds](const std::string& benchmark) {
    *state = {absl::StrFormat("round %d of %d, %s, %s", round + 1, rounds, system, benchmark),
              std::chrono::steady_clock::now()};
    show(state->first);
  };
  settings->runner.progress = [state, show = schedule.show](uint64_t done, uint64_t total) {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - state->second;
    show(cli::ProgressLine(state->first, done, done, total, elapsed.count()));
  };
}

// The second benchmark with a name is called "name 2".
std::vector<std::string> UniqueNames(const Schedule& schedule) {
  std::vector<std::string> names;
  std::map<std::string, int> seen;
  for (const Workload& workload : schedule.pass.workloads) {
    const int times = ++seen[workload.name];
    names.push_back(times == 1 ? workload.name : absl::StrCat(workload.name, " ", times));
  }
  names.emplace_back("close");
  return names;
}

}  // namespace

void RunSchedule(const Schedule& schedule, Clock* clock, Report* report) {
  const std::vector<std::string> names = UniqueNames(schedule);
  const size_t systems = schedule.systems.size();
  // Ordered by benchmark, then by system.
  std::vector<Result> results(names.size() * systems);
  for (size_t i = 0; i < results.size(); ++i) {
    results[i].benchmark = names[i / systems];
    results[i].system = schedule.systems[i % systems].name;
  }
  for (const EngineType& type : schedule.systems) {
    report->systems.push_back({type.name, type.library, type.assertions,
                               type.options(schedule.pass.engine), type.durability});
  }
  for (int round = 0; round < schedule.rounds; ++round) {
    for (size_t turn = 0; turn < systems; ++turn) {
      const size_t system = (turn + static_cast<size_t>(round)) % systems;
      const EngineType& type = schedule.systems[system];
      PassSettings settings = schedule.pass;
      settings.engine.path = BenchDirectory::StorePath(schedule.directory, type.name);
      ShowProgress(schedule, round, type.name, &settings);
      std::vector<Measurement> measurements = RunPass(schedule, settings, type, clock);
      for (size_t i = 0; i < measurements.size(); ++i) {
        Measurement& measurement = measurements[i];
        measurement.benchmark = names[i];
        results[i * systems + system].rounds.push_back(std::move(measurement));
      }
      const bool last = round + 1 == schedule.rounds;
      if (!settings.use_existing && !(last && schedule.keep)) {
        // Its dirty pages must not be written while the next store is measured.
        (void)BenchDirectory::MakeEmpty(settings.engine.path);
      }
    }
  }
  if (schedule.show != nullptr) schedule.show("");
  for (Result& result : results) report->results.push_back(std::move(result));
}

}  // namespace rumcask::bench
