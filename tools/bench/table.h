// A report for people.

#ifndef RUMCASK_TOOLS_BENCH_TABLE_H_
#define RUMCASK_TOOLS_BENCH_TABLE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "tools/bench/report.h"

namespace rumcask::bench {

std::string AsTable(const Report& report);

// The percentile text of every result that was done.
std::string AsPercentiles(const Report& report);

// Rows of cells as lines: the first column to the left, the others to the right. Columns that would
// make the lines wider than a terminal follow below in a table of their own, behind the first
// `labels` columns again. What a terminal would obey is escaped.
std::string Aligned(const std::vector<std::vector<std::string>>& cells, size_t labels);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_TABLE_H_
