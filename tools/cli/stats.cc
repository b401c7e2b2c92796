// rumcask stats DB

#include "core/stats.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

#include "core/db.h"
#include "core/listener.h"
#include "tools/cli/command.h"
#include "tools/cli/commands.h"
#include "tools/cli/figures.h"
#include "tools/cli/json_text.h"
#include "tools/cli/open_database.h"
#include "tools/cli/output.h"
#include "tools/cli/printable.h"
#include "tools/cli/prometheus_text.h"
#include "tools/cli/wrapped.h"

namespace rumcask::cli {
namespace {

uint64_t DeadBytes(uint64_t log_bytes, uint64_t live_bytes) {
  return log_bytes > live_bytes ? log_bytes - live_bytes : 0;
}

// What is printed about an index on disk.
struct IndexOnDisk {
  // Whether the database has one.
  bool exists = false;
  // The reason why it could not be used; empty if it was used.
  std::string unusable;
};

std::string AsJson(const Stats& stats, const IndexOnDisk& index) {
  nlohmann::ordered_json json = {
      {"keystore", stats.keystore},
      {"keys", stats.keys},
      {"keys_exact", stats.keys_exact},
      {"index_bytes", stats.index_bytes},
  };
  if (index.exists) {
    json["index_file_bytes"] = stats.index_file_bytes;
    json["index_version"] = stats.index_version;
    json["index_unusable"] = index.unusable;
  }
  json.update({
      {"log_bytes", stats.log_bytes},
      {"live_bytes", stats.live_bytes},
      {"live_bytes_exact", stats.live_bytes_exact},
      {"dead_bytes", DeadBytes(stats.log_bytes, stats.live_bytes)},
      {"file_bytes", stats.file_bytes},
      {"reserve_bytes", stats.reserve_bytes},
      {"last_version", stats.last_version},
      {"durable_version", stats.durable_version},
  });
  json["recovery"] = {
      {"was_clean", stats.recovery.was_clean},
      {"dropped_bytes", stats.recovery.dropped_bytes},
      {"dropped_segments", stats.recovery.dropped_segments},
      {"last_version", stats.recovery.last_version},
      {"scanned_segments", stats.recovery.scanned_segments},
      {"damaged_footers", stats.recovery.damaged_footers},
  };
  json["segments"] = nlohmann::ordered_json::array();
  for (const SegmentStats& segment : stats.segments) {
    json["segments"].push_back({
        {"id", segment.id},
        {"sealed", segment.sealed},
        {"records", segment.records},
        {"file_bytes", segment.file_bytes},
        {"log_bytes", segment.log_bytes},
        {"live_bytes", segment.live_bytes},
        {"dead_bytes", DeadBytes(segment.log_bytes, segment.live_bytes)},
    });
  }
  return JsonText(json, /*indent=*/2) + "\n";
}

// The state in which the database was left.
std::string Condition(const RecoveryReport& recovery) {
  std::string text = recovery.was_clean ? "closed cleanly" : "not closed cleanly";
  if (recovery.dropped_bytes > 0 || recovery.dropped_segments > 0) {
    absl::StrAppendFormat(&text, "; its unfinished end, %s in %s, is left out",
                          FormatBytes(recovery.dropped_bytes),
                          FormatCount(recovery.dropped_segments, "segment"));
  }
  if (recovery.damaged_footers > 0) {
    absl::StrAppendFormat(&text, "; damaged key tables in %s",
                          FormatCount(recovery.damaged_footers, "segment"));
  }
  return text;
}

std::string AsTable(std::string_view path, const Stats& stats, const IndexOnDisk& index) {
  std::string text;
  // Paths, and errors that contain them, may be long and may have any bytes.
  const auto row = [&text](std::string_view name, std::string_view figure,
                           const std::string& remark = "") {
    const std::string line = absl::StrFormat("%-16s %s%s", name, Printable(figure),
                                             remark.empty() ? "" : " (" + remark + ")");
    absl::StrAppend(&text, Wrapped(line, 17), "\n");
  };
  const uint64_t dead = DeadBytes(stats.log_bytes, stats.live_bytes);
  row("database", path);
  row("condition", Condition(stats.recovery));
  row("read to open", stats.recovery.scanned_segments == stats.segments.size()
                          ? absl::StrCat("all of ", FormatCount(stats.segments.size(), "segment"))
                          : absl::StrFormat("%d of %s in full, key tables of the rest",
                                            stats.recovery.scanned_segments,
                                            FormatCount(stats.segments.size(), "segment")));
  row("keystore", stats.keystore);
  row("keys", FormatCount(stats.keys), stats.keys_exact ? "" : "in the index");
  row("index in memory", FormatBytes(stats.index_bytes),
      // With few keys it would be the size of an empty index.
      stats.keys < 100
          ? ""
          : absl::StrFormat("%.1f bytes per key", static_cast<double>(stats.index_bytes) /
                                                      static_cast<double>(stats.keys)));
  if (index.exists && index.unusable.empty()) {
    row("index on disk", FormatBytes(stats.index_file_bytes),
        absl::StrFormat("up to version %d", stats.index_version));
  } else if (index.exists) {
    row("index on disk", absl::StrCat("not used: ", index.unusable));
  }
  row("log", FormatBytes(stats.log_bytes));
  row("  live", FormatBytes(stats.live_bytes),
      absl::StrCat(stats.live_bytes_exact ? "" : "at most: ",
                   FormatShare(stats.live_bytes, stats.log_bytes)));
  row("  dead", FormatBytes(dead), FormatShare(dead, stats.log_bytes));
  row("files", FormatBytes(stats.file_bytes));
  if (stats.reserve_bytes > 0) row("reserve", FormatBytes(stats.reserve_bytes), "for a full disk");
  row("last version", absl::StrCat(stats.last_version));
  row("durable version", absl::StrCat(stats.durable_version));

  absl::StrAppendFormat(&text, "\n%-20s %-6s %10s %10s %10s %10s %7s\n", "segment", "state",
                        "records", "file", "live", "dead", "share");
  for (const SegmentStats& segment : stats.segments) {
    absl::StrAppendFormat(&text, "%016x.seg %-6s %10s %10s %10s %10s %7s\n", segment.id,
                          segment.sealed ? "sealed" : "open", FormatCount(segment.records),
                          FormatBytes(segment.file_bytes), FormatBytes(segment.live_bytes),
                          FormatBytes(DeadBytes(segment.log_bytes, segment.live_bytes)),
                          FormatShare(segment.live_bytes, segment.log_bytes));
  }
  return text;
}

// One for each database, whatever the user calls it.
std::string FullPath(const std::string& path) {
  std::error_code error;
  const std::filesystem::path full = std::filesystem::canonical(path, error);
  return error ? path : full.string();
}

absl::Status PrintStats(const Flags& flags, const std::optional<std::string>& format) {
  if (format && *format != "prometheus") {
    return UsageError(absl::StrFormat("--format takes only prometheus, not '%s'", *format));
  }
  if (format && flags.json) return UsageError("--json and --format exclude each other");
  absl::StatusOr<KeystoreFactory> keystore = KeystoreOf(flags);
  if (!keystore.ok()) return keystore.status();
  absl::StatusOr<ReadOnlyDatabase> database = OpenForReading(flags);
  if (!database.ok()) return database.status();
  Stats stats = database->db->GetStats();
  // The name of the database's keystore, not of the one used in its place.
  stats.keystore = keystore->traits.name;
  const IndexOnDisk index = {keystore->traits.persistent, database->index_unusable};
  absl::Status status =
      Print(format       ? PrometheusText(stats, FullPath(flags.db), index.unusable.empty())
            : flags.json ? AsJson(stats, index)
                         : AsTable(flags.db, stats, index));
  return status.ok() ? database->complete : status;
}

}  // namespace

int RunStats(const std::vector<std::string>& arguments) {
  CommandLine line("Prints statistics of the database and of each of its segments.");
  Flags flags;
  AddDatabase(&line, &flags);
  AddKeystore(&line, &flags);
  AddJson(&line, &flags);
  std::optional<std::string> format;
  line.Option("--format", "prometheus", &format,
              "Print them in the text format of Prometheus, which the textfile collector of its "
              "node exporter reads; the database is named by its full path, and segments are added "
              "up by their state. Counters count what this opening of the database did, which is "
              "to read it; a program that writes exports its own by PrometheusText of "
              "rumcask/prometheus_text.h");
  return Run("stats", &line, arguments, [&] { return PrintStats(flags, format); });
}

}  // namespace rumcask::cli
