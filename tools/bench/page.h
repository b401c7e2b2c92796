// Formats reports for a browser.

#ifndef RUMCASK_TOOLS_BENCH_PAGE_H_
#define RUMCASK_TOOLS_BENCH_PAGE_H_

#include <string>
#include <vector>

#include "tools/bench/compare.h"
#include "tools/bench/report.h"

namespace rumcask::bench {

// A page of HTML that needs nothing else: styles, scripts and figures are in it, and it forbids the
// browser to load anything. It has tables, charts if HasCharts(), and the meaning of its words.
std::string AsPage(const Report& report);

// The same for two reports side by side, with what Compare says of them with that threshold.
std::string AsPage(const Report& before, const Report& after,
                   const std::vector<Comparison>& comparisons, double threshold);

// Whether uPlot was there when this program was built.
bool HasCharts();

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_PAGE_H_
