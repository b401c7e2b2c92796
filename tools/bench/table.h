// Formats a report for people.

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

// Formats rows of cells as lines: the first column is aligned left, the others right. Columns that
// would make the lines wider than a terminal follow below in another table, after a repetition of
// the first `labels` columns. Characters that a terminal would obey are escaped.
std::string Aligned(const std::vector<std::vector<std::string>>& cells, size_t labels);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_TABLE_H_
