// Formats statistics for Prometheus.

#ifndef RUMCASK_TOOLS_CLI_PROMETHEUS_TEXT_H_
#define RUMCASK_TOOLS_CLI_PROMETHEUS_TEXT_H_

#include <string>
#include <string_view>

#include "core/stats.h"

namespace rumcask::cli {

// All numbers of `stats` in Prometheus's text format 0.0.4. `database` becomes the label that tells
// several databases apart. Not `index_usable`: the index of the database could not be used, and the
// figures are of one in its place. Of an index in memory there are no figures of files.
//
// Segments are added up by their state, because each of them as a series of its own would leave a
// new name behind with every compaction. Dead bytes are log_bytes less live_bytes.
std::string PrometheusText(std::string_view database, const Stats& stats, bool index_usable);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_PROMETHEUS_TEXT_H_
