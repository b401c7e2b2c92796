// Formats statistics for Prometheus. Public: `//tools/cli:prometheus_text` is this and core.

#ifndef RUMCASK_TOOLS_CLI_PROMETHEUS_TEXT_H_
#define RUMCASK_TOOLS_CLI_PROMETHEUS_TEXT_H_

#include "rumcask/require_cxx17.h"

#include <string>
#include <string_view>

#include "rumcask/stats.h"

namespace rumcask {

// All numbers of `stats`, which DB::GetStats returns, in Prometheus's text format 0.0.4: what a
// program answers when it is scraped, or writes to a file for the textfile collector of the node
// exporter. Counters, whose names end with _total, count from the opening of that DB on, so it is
// the program that writes which has them.
//
// Each series has the labels `database`, which tells several databases apart and may have any
// bytes, and `keystore`. The texts of several databases cannot be put together to one, as that must
// not describe a metric twice: give each a path of its own to be scraped, or a file.
//
// Segments are added up by their state, because each of them as a series of its own would leave a
// new name behind with every compaction. Dead bytes are log_bytes less live_bytes. Figures of the
// files of an index are there if it has any.
//
// `index_usable` is for programs that open a database read-only with another keystore if its own
// index cannot be used: false says so.
std::string PrometheusText(const Stats& stats, std::string_view database, bool index_usable = true);

}  // namespace rumcask

#endif  // RUMCASK_TOOLS_CLI_PROMETHEUS_TEXT_H_
