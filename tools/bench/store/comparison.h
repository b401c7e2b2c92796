// One line of the report: the store's figure beside that of its yardstick.

#ifndef RUMCASK_TOOLS_BENCH_STORE_COMPARISON_H_
#define RUMCASK_TOOLS_BENCH_STORE_COMPARISON_H_

#include <functional>
#include <string>
#include <vector>

namespace rumcask::bench {

struct Comparison {
  std::string name;
  // What each of the two sides does, for the text of the report.
  std::string store_text;
  std::string yardstick_text;
  // The unit of the figures; lower is better.
  std::string unit = "ns";
  // Budgets: the yardstick's figure must be at least min_ratio times the store's, and the store's
  // figure at most max_figure. 0 for none.
  double min_ratio = 0;
  double max_figure = 0;
  // Each runs one round and returns its figure.
  std::function<double()> store;
  std::function<double()> yardstick;
};

using Comparisons = std::vector<Comparison>;

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_STORE_COMPARISON_H_
