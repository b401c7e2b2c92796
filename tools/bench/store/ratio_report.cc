#include "tools/bench/store/ratio_report.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "tools/bench/store/stopwatch.h"

namespace rumcask::bench {
namespace {

double Median(std::vector<double> figures) {
  std::sort(figures.begin(), figures.end());
  const size_t half = figures.size() / 2;
  return figures.size() % 2 != 0 ? figures[half] : (figures[half - 1] + figures[half]) / 2;
}

double MedianOf(const std::map<int, double>& rounds) {
  std::vector<double> figures;
  for (const auto& [round, figure] : rounds) figures.push_back(figure);
  return Median(std::move(figures));
}

std::string Figure(double figure) {
  return figure < 100 ? absl::StrFormat("%.2f", figure) : absl::StrFormat("%.0f", figure);
}

std::string Budget(const Comparison& comparison) {
  if (comparison.min_ratio > 0) return absl::StrFormat(">= %.2f", comparison.min_ratio);
  if (comparison.max_figure > 0) {
    return absl::StrFormat("<= %s %s", Figure(comparison.max_figure), comparison.unit);
  }
  return "none";
}

}  // namespace

RatioReport::RatioReport(Comparisons comparisons, int rounds)
    : comparisons_(std::move(comparisons)), rounds_(comparisons_.size()) {
  for (size_t i = 0; i < comparisons_.size(); ++i) {
    for (int round = 0; round < rounds; ++round) {
      const bool store_first = round % 2 == 0;
      Register(i, store_first, round);
      Register(i, !store_first, round);
    }
  }
}

void RatioReport::Register(size_t comparison, bool is_store, int round) {
  const Comparison& c = comparisons_[comparison];
  benchmark::RegisterBenchmark(
      absl::StrCat(c.name, is_store ? "/store/" : "/yardstick/", round).c_str(),
      [this, comparison, is_store, round](benchmark::State& state) {
        const Comparison& compared = comparisons_[comparison];
        Rounds& rounds = rounds_[comparison];
        for (auto _ : state) {
          const Stopwatch watch;
          const double figure = is_store ? compared.store() : compared.yardstick();
          state.SetIterationTime(watch.Seconds());
          (is_store ? rounds.store : rounds.yardstick)[round] = figure;
          state.counters[compared.unit] = figure;
        }
      })
      ->Iterations(1)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

bool RatioReport::PrintLine(const Comparison& comparison, const Rounds& rounds,
                            std::FILE* out) const {
  std::vector<double> ratios;
  for (const auto& [round, figure] : rounds.store) {
    const auto other = rounds.yardstick.find(round);
    if (other != rounds.yardstick.end()) ratios.push_back(other->second / figure);
  }
  if (ratios.empty()) return true;
  const double store = MedianOf(rounds.store);
  const double ratio = Median(ratios);
  const bool met = ratio >= comparison.min_ratio &&
                   (comparison.max_figure == 0 || store <= comparison.max_figure);
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  absl::FPrintF(out, "%-22s %12s %12s %-9s %6.2f  [%.2f..%.2f]%*s%-12s %s\n", comparison.name,
                Figure(store), Figure(MedianOf(rounds.yardstick)), comparison.unit, ratio, *least,
                *most, 2, "", Budget(comparison), met ? "met" : "MISSED");
  return met;
}

bool RatioReport::Print(std::FILE* out) const {
  absl::FPrintF(out, "\n");
  for (size_t i = 0; i < comparisons_.size(); ++i) {
    const Comparison& comparison = comparisons_[i];
    if (rounds_[i].store.empty() || rounds_[i].yardstick.empty()) continue;
    absl::FPrintF(out, "%s\n  store:     %s\n  yardstick: %s\n", comparison.name,
                  comparison.store_text, comparison.yardstick_text);
  }
  absl::FPrintF(out, "\n%-22s %12s %12s %-9s %6s  %-14s%-12s\n", "what", "store", "yardstick", "",
                "ratio", "[min..max]", "budget");
  bool all = true;
  for (size_t i = 0; i < comparisons_.size(); ++i) {
    all &= PrintLine(comparisons_[i], rounds_[i], out);
  }
  return all;
}

}  // namespace rumcask::bench
