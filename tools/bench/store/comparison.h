// One line of the report: what the store takes beside what its yardstick takes.

#ifndef RUMCASK_TOOLS_BENCH_STORE_COMPARISON_H_
#define RUMCASK_TOOLS_BENCH_STORE_COMPARISON_H_

#include <functional>
#include <string>
#include <vector>

namespace rumcask::bench {

struct Comparison {
  std::string name;
  // What the two sides do, for the report's text.
  std::string store_text;
  std::string yardstick_text;
  // Of the figures; less of it is better.
  std::string unit = "ns";
  // Budgets: the yardstick's figure is to be at least so many times the store's, and the store's
  // at most so much; 0 for none.
  double min_ratio = 0;
  double max_figure = 0;
  // Each runs one round and returns its figure.
  std::function<double()> store;
  std::function<double()> yardstick;
};

using Comparisons = std::vector<Comparison>;

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_STORE_COMPARISON_H_
