#include "tools/bench/store/compaction_costs.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

#include "tools/bench/report.h"
#include "tools/bench/table.h"
#include "tools/cli/figures.h"
#include "tools/cli/json_text.h"

namespace rumcask::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMinPutRate = 0.85;
constexpr double kMaxGetP99 = 2;

constexpr double kShown[] = {50, 99, 99.9};

double Ratio(double a, double b) { return b > 0 ? a / b : 0; }

double P99(const Histogram& nanoseconds) {
  return static_cast<double>(nanoseconds.ValueAtPercentile(99));
}

std::string Count(double figure) {
  return cli::FormatCount(static_cast<uint64_t>(std::llround(figure)));
}

std::string Microseconds(uint64_t nanoseconds) {
  return absl::StrFormat("%.*f", nanoseconds < 100000 ? 2 : 0,
                         static_cast<double>(nanoseconds) / 1e3);
}

std::string Percent(double part, double whole) {
  return absl::StrFormat("%.1f %%", 100 * Ratio(part, whole));
}

std::vector<std::string> TimesRow(std::string_view call, std::string_view store,
                                  std::string_view time, const Histogram& nanoseconds,
                                  uint64_t stalls) {
  std::vector<std::string> row = {absl::StrFormat("%s, %s, %s", call, store, time)};
  for (const double percentile : kShown) {
    row.push_back(Microseconds(nanoseconds.ValueAtPercentile(percentile)));
  }
  row.push_back(Microseconds(nanoseconds.max()));
  row.push_back(cli::FormatCount(stalls));
  return row;
}

Json TimesJson(const Histogram& nanoseconds, uint64_t stalls) {
  Json json;
  for (const double percentile : kShown) {
    json[absl::StrFormat("p%g", percentile)] = nanoseconds.ValueAtPercentile(percentile);
  }
  json["max"] = nanoseconds.max();
  json["over_1_ms"] = stalls;
  return json;
}

Json CallsJson(const CallsOfThread& calls) {
  return {{"calls", calls.calls},
          {"per_second", calls.PerSecond()},
          {"own_per_second", calls.OwnPerSecond()},
          {"seconds", calls.seconds},
          {"processor_seconds", calls.processor_seconds},
          {"waiting_seconds", calls.waiting_seconds},
          {"elapsed_ns", TimesJson(calls.elapsed, calls.elapsed_stalls)},
          {"own_ns", TimesJson(calls.own, calls.own_stalls)}};
}

Json StoreJson(const StoreRound& store) {
  return {{"put", CallsJson(store.puts)},
          {"get", CallsJson(store.gets)},
          {"background_seconds", store.background_seconds},
          {"busiest_seconds", store.busiest_seconds},
          {"writer_waits", store.writer_waits}};
}

}  // namespace

double CallsOfThread::OwnPerSecond() const {
  return Ratio(static_cast<double>(calls), seconds - waiting_seconds);
}

double StoreRound::PutsPerSecondAtBest() const {
  return Ratio(static_cast<double>(puts.calls), std::max(puts.processor_seconds, busiest_seconds));
}

void CallsOfThread::Merge(const CallsOfThread& other) {
  calls += other.calls;
  seconds += other.seconds;
  processor_seconds += other.processor_seconds;
  waiting_seconds += other.waiting_seconds;
  elapsed.Merge(other.elapsed);
  own.Merge(other.own);
  elapsed_stalls += other.elapsed_stalls;
  own_stalls += other.own_stalls;
}

double CompactionCosts::DeviceRate(const CompactionRound& round) const {
  return round.device_bytes_per_second / round.write_amplification /
         static_cast<double>(record_bytes_);
}

std::vector<Goal> CompactionCosts::Goals() const {
  const auto median = [this](const std::function<double(const CompactionRound&)>& figure) {
    std::vector<double> figures;
    for (const CompactionRound& round : rounds_) figures.push_back(figure(round));
    return SpreadOf(std::move(figures)).median;
  };
  std::vector<Goal> goals;
  const auto add = [&goals](std::string name, double figure, double min, double max) {
    const std::string text =
        min > 0 ? absl::StrFormat(">= %g", min) : absl::StrFormat("<= %g", max);
    goals.push_back(
        {std::move(name), figure, min, max, text, min > 0 ? figure >= min : figure <= max});
  };
  add("put rate, of what growing and device allow", median([this](const CompactionRound& round) {
        return Ratio(round.compacting.puts.PerSecond(),
                     std::min(round.growing.puts.PerSecond(), DeviceRate(round)));
      }),
      kMinPutRate, 0);
  add("the same in own time", median([this](const CompactionRound& round) {
        return Ratio(round.compacting.puts.OwnPerSecond(),
                     std::min(round.growing.puts.OwnPerSecond(), DeviceRate(round)));
      }),
      kMinPutRate, 0);
  add("the same if each thread had a processor", median([this](const CompactionRound& round) {
        return Ratio(round.compacting.PutsPerSecondAtBest(),
                     std::min(round.growing.PutsPerSecondAtBest(), DeviceRate(round)));
      }),
      kMinPutRate, 0);
  add("p99 of gets in own time, of that of growing", median([](const CompactionRound& round) {
        return Ratio(P99(round.compacting.gets.own), P99(round.growing.gets.own));
      }),
      0, kMaxGetP99);
  double added = 0;
  for (const CompactionRound& round : rounds_) {
    added += static_cast<double>(round.compacting.puts.own_stalls) -
             static_cast<double>(round.growing.puts.own_stalls);
  }
  add("puts over 1 ms of own time, beyond those of growing", added, 0, 0);
  return goals;
}

bool CompactionCosts::Met() const {
  const std::vector<Goal> goals = Goals();
  return std::all_of(goals.begin(), goals.end(), [](const Goal& goal) { return goal.met; });
}

StoreRound CompactionCosts::Sum(StoreRound CompactionRound::*side) const {
  StoreRound sum;
  for (const CompactionRound& round : rounds_) {
    sum.puts.Merge((round.*side).puts);
    sum.gets.Merge((round.*side).gets);
    sum.background_seconds += (round.*side).background_seconds;
    sum.busiest_seconds += (round.*side).busiest_seconds;
    sum.writer_waits += (round.*side).writer_waits;
  }
  return sum;
}

std::string CompactionCosts::AsTable() const {
  const StoreRound compacting = Sum(&CompactionRound::compacting);
  const StoreRound growing = Sum(&CompactionRound::growing);
  const auto row = [&](std::string name, const std::function<std::string(const StoreRound&)>& of) {
    return std::vector<std::string>{std::move(name), of(compacting), of(growing)};
  };
  std::vector<std::vector<std::string>> rows = {{"", "compacting", "growing"}};
  for (const auto& [name, calls] :
       {std::pair("puts", &StoreRound::puts), std::pair("gets", &StoreRound::gets)}) {
    const auto of = [calls = calls](const StoreRound& s) -> const CallsOfThread& {
      return s.*calls;
    };
    const auto each = [&](const StoreRound& s) {
      return absl::StrFormat(
          "%.3f", 1e6 * Ratio(of(s).processor_seconds, static_cast<double>(of(s).calls)));
    };
    rows.push_back(row(absl::StrCat(name, " per second"),
                       [&](const StoreRound& s) { return Count(of(s).PerSecond()); }));
    rows.push_back(
        row("  in own time", [&](const StoreRound& s) { return Count(of(s).OwnPerSecond()); }));
    rows.push_back(row("  us on a processor, each", each));
    rows.push_back(row("  time on a processor", [&](const StoreRound& s) {
      return Percent(of(s).processor_seconds, of(s).seconds);
    }));
    rows.push_back(row("  time waiting for one", [&](const StoreRound& s) {
      return Percent(of(s).waiting_seconds, of(s).seconds);
    }));
    rows.push_back(row("  time blocked", [&](const StoreRound& s) {
      const double rest = of(s).seconds - of(s).processor_seconds - of(s).waiting_seconds;
      return Percent(std::max(0.0, rest), of(s).seconds);
    }));
  }
  rows.push_back(row("other threads, us on a processor a put", [](const StoreRound& s) {
    return absl::StrFormat("%.3f",
                           1e6 * Ratio(s.background_seconds, static_cast<double>(s.puts.calls)));
  }));
  rows.push_back(row("  the busiest of them", [](const StoreRound& s) {
    return absl::StrFormat("%.3f",
                           1e6 * Ratio(s.busiest_seconds, static_cast<double>(s.puts.calls)));
  }));
  rows.push_back(row("waits of the writer for space",
                     [](const StoreRound& s) { return cli::FormatCount(s.writer_waits); }));
  std::string text = Aligned(rows, /*labels=*/1);

  rows = {{"microseconds a call", "p50", "p99", "p99.9", "max", "over 1 ms"}};
  for (const auto& [name, calls] :
       {std::pair("put", &StoreRound::puts), std::pair("get", &StoreRound::gets)}) {
    for (const auto& [store, side] :
         {std::pair("compacting", &compacting), std::pair("growing", &growing)}) {
      const CallsOfThread& of = side->*calls;
      rows.push_back(TimesRow(name, store, "elapsed", of.elapsed, of.elapsed_stalls));
      rows.push_back(TimesRow(name, store, "own", of.own, of.own_stalls));
    }
  }
  absl::StrAppend(&text, "\n", Aligned(rows, /*labels=*/1));

  rows = {{"round", "compacting", "growing", "device", "written", "live", "jobs"}};
  for (size_t i = 0; i < rounds_.size(); ++i) {
    const CompactionRound& round = rounds_[i];
    rows.push_back({absl::StrCat(i + 1), Count(round.compacting.puts.PerSecond()),
                    Count(round.growing.puts.PerSecond()), Count(DeviceRate(round)),
                    absl::StrFormat("%.2f x", round.write_amplification),
                    Percent(round.live_share, 1), cli::FormatCount(round.jobs)});
  }
  absl::StrAppend(&text, "\n", Aligned(rows, /*labels=*/1));

  rows = {{"", "figure", "goal", ""}};
  for (const Goal& goal : Goals()) {
    rows.push_back(
        {goal.name, absl::StrFormat("%.2f", goal.figure), goal.text, goal.met ? "met" : "MISSED"});
  }
  absl::StrAppend(&text, "\n", Aligned(rows, /*labels=*/1));
  return text;
}

std::string CompactionCosts::AsJson(
    const std::vector<std::pair<std::string, std::string>>& settings) const {
  Json json;
  for (const auto& [name, value] : settings) json["settings"][name] = value;
  json["rounds"] = Json::array();
  for (const CompactionRound& round : rounds_) {
    json["rounds"].push_back({{"compacting", StoreJson(round.compacting)},
                              {"growing", StoreJson(round.growing)},
                              {"device_bytes_per_second", round.device_bytes_per_second},
                              {"device_puts_per_second", DeviceRate(round)},
                              {"write_amplification", round.write_amplification},
                              {"live_share", round.live_share},
                              {"jobs", round.jobs}});
  }
  json["goals"] = Json::array();
  for (const Goal& goal : Goals()) {
    json["goals"].push_back(
        {{"name", goal.name}, {"figure", goal.figure}, {"goal", goal.text}, {"met", goal.met}});
  }
  return cli::JsonText(json, /*indent=*/1) + "\n";
}

}  // namespace rumcask::bench
