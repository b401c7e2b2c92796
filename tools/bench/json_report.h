// Formats a report for programs.

#ifndef RUMCASK_TOOLS_BENCH_JSON_REPORT_H_
#define RUMCASK_TOOLS_BENCH_JSON_REPORT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "tools/bench/report.h"

namespace rumcask::bench {

std::string AsJson(const Report& report);

// Reads the output of AsJson. InvalidArgument if the text is something else.
absl::StatusOr<Report> ReportFromJson(std::string_view text);

// One line for each round of each result, below a line with the names of the columns.
std::string AsCsv(const Report& report);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_JSON_REPORT_H_
