#include "tools/bench/table.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "tools/cli/figures.h"
#include "tools/cli/printable.h"
#include "tools/cli/wrapped.h"

namespace rumcask::bench {
namespace {

using cli::FormatBytes;
using cli::FormatCount;
using cli::kColumns;
using cli::Printable;
using cli::Width;
using cli::Wrapped;

// Three digits: "1.23", "12.3", "123", "12,345".
std::string Digits(double figure) {
  if (figure >= 99.95) return FormatCount(static_cast<uint64_t>(std::llround(figure)));
  return figure >= 9.995 ? absl::StrFormat("%.1f", figure) : absl::StrFormat("%.2f", figure);
}

std::string OrDash(const std::optional<double>& figure) { return figure ? Digits(*figure) : "-"; }

std::string Duration(double seconds) {
  if (seconds >= 1) return Digits(seconds) + " s";
  if (seconds >= 1e-3) return Digits(seconds * 1e3) + " ms";
  if (seconds >= 1e-6) return Digits(seconds * 1e6) + " us";
  return Digits(seconds * 1e9) + " ns";
}

std::string Speed(const Result& result) {
  const Spread spread = SpeedOf(result);
  std::string text = result.rounds.front().single
                         ? Duration(spread.median)
                         : FormatCount(static_cast<uint64_t>(std::llround(spread.median)));
  if (result.rounds.size() > 1) absl::StrAppendFormat(&text, " ±%.1f %%", 100 * spread.Relative());
  return text;
}

std::string Cell(const Result* result) {
  if (result == nullptr) return "-";
  if (result->Done()) return Speed(*result);
  for (const Measurement& m : result->rounds) {
    if (m.outcome == Measurement::Outcome::kFailed) return "failed";
  }
  return "not supported";
}

// One line for all results of a benchmark that share a remark.
std::string Remarks(const Report& report) {
  std::string text;
  for (const std::string& benchmark : report.Benchmarks()) {
    std::vector<std::pair<std::string, std::vector<std::string>>> remarks;
    for (const Result& result : report.results) {
      const std::string remark = result.benchmark == benchmark ? RemarkOn(result) : "";
      if (remark.empty()) continue;
      const auto known = std::find_if(remarks.begin(), remarks.end(),
                                      [&](const auto& other) { return other.first == remark; });
      if (known == remarks.end()) {
        remarks.push_back({remark, {result.system}});
      } else {
        known->second.push_back(result.system);
      }
    }
    for (const auto& [remark, systems] : remarks) {
      const bool all = systems.size() > 1 && systems.size() == report.systems.size();
      const std::string line = absl::StrFormat("  %s, %s: %s", benchmark,
                                               all ? "all" : absl::StrJoin(systems, ", "), remark);
      absl::StrAppend(&text, Wrapped(Printable(line), 4), "\n");
    }
  }
  return text;
}

// Of which benchmarks it cannot be told whether a longer run would have given the same figures.
std::string TooShort(const Report& report) {
  std::vector<std::string> names;
  for (const Result& result : report.results) {
    if (!result.Done() || result.rounds.front().single || LastChangeOf(result)) continue;
    if (names.empty() || names.back() != result.benchmark) names.push_back(result.benchmark);
  }
  if (names.empty()) return "";
  const std::string line = absl::StrCat("  too short to tell whether the speed was steady: ",
                                        absl::StrJoin(names, ", "));
  return Wrapped(Printable(line), 4) + "\n";
}

// The command of a report in a form that could be typed again. A command that is too wide is
// continued in the next line after a backslash. It is broken only between arguments.
std::string WrappedCommand(std::string_view command) {
  std::string text = "$";
  size_t width = 1;
  for (size_t begin = 0; begin < command.size();) {
    size_t end = begin;
    bool quoted = false;
    while (end < command.size() && (quoted || command[end] != ' ')) {
      if (command[end] == '\'') quoted = !quoted;
      end += !quoted && command[end] == '\\' ? 2 : 1;
    }
    end = std::min(end, command.size());
    const std::string word = Printable(command.substr(begin, end - begin));
    const bool last = end + 1 >= command.size();
    // There must be room for the backslash after the word.
    if (begin > 0 && width + 1 + Width(word) + (last ? 0 : 2) > kColumns) {
      text += " \\\n   ";
      width = 3;
    }
    absl::StrAppend(&text, " ", word);
    width += 1 + Width(word);
    begin = end + 1;
  }
  return text;
}

void AppendFacts(const Facts& facts, std::string* text) {
  size_t width = 0;
  for (const auto& [name, value] : facts) width = std::max(width, Width(Printable(name)));
  for (const auto& [name, value] : facts) {
    absl::StrAppend(text,
                    Wrapped(absl::StrFormat("  %-*s  %s", static_cast<int>(width), Printable(name),
                                            Printable(value)),
                            width + 4),
                    "\n");
  }
}

std::string SpeedTable(const Report& report) {
  std::vector<std::vector<std::string>> rows(1, {""});
  for (const SystemReport& system : report.systems) rows[0].push_back(system.name);
  for (const std::string& benchmark : report.Benchmarks()) {
    rows.push_back({benchmark});
    for (const SystemReport& system : report.systems) {
      rows.back().push_back(Cell(report.Find(benchmark, system.name)));
    }
  }
  return Aligned(rows, /*labels=*/1);
}

std::string LatencyTable(const Report& report) {
  std::vector<std::vector<std::string>> rows(1, {"", ""});
  for (const double percentile : kPercentiles)
    rows[0].push_back(absl::StrFormat("p%g", percentile));
  rows[0].emplace_back("max");
  for (const Result& result : report.results) {
    if (!result.Done() || result.rounds.front().single) continue;
    const Histogram latency = result.Latency();
    if (latency.count() == 0) continue;
    rows.push_back({result.benchmark, result.system});
    for (const double percentile : kPercentiles) {
      rows.back().push_back(
          Digits(static_cast<double>(latency.ValueAtPercentile(percentile)) / 1000));
    }
    rows.back().push_back(Digits(static_cast<double>(latency.max()) / 1000));
  }
  return rows.size() == 1 ? "" : Aligned(rows, /*labels=*/2);
}

// Leaves out columns without any figure.
void DropEmptyColumns(std::vector<std::vector<std::string>>* rows) {
  for (size_t column = rows->front().size(); column-- > 0;) {
    const bool empty = std::all_of(rows->begin() + 1, rows->end(), [&](const auto& row) {
      return row[column].empty() || row[column] == "-";
    });
    if (!empty) continue;
    for (auto& row : *rows) row.erase(row.begin() + static_cast<std::ptrdiff_t>(column));
  }
}

std::string ResourceTable(const Report& report) {
  std::vector<std::vector<std::string>> rows = {{"", "", "CPU/op", "calls/op", "instr/op",
                                                 "RAM B/key", "peak", "on disk", "x live",
                                                 "written", "x user"}};
  for (const Result& result : report.results) {
    if (!result.Done()) continue;
    const Resources resources = ResourcesOf(result);
    const auto bytes = [](const std::optional<double>& figure) {
      return figure ? FormatBytes(static_cast<uint64_t>(*figure)) : "-";
    };
    const std::optional<double>& cpu = resources.cpu_nanoseconds;
    rows.push_back({result.benchmark, result.system, cpu ? Duration(*cpu / 1e9) : "-",
                    OrDash(resources.system_calls), OrDash(resources.instructions),
                    OrDash(resources.memory_per_key), OrDash(resources.peak_memory_per_key),
                    bytes(resources.disk_bytes), OrDash(resources.space_amplification),
                    bytes(resources.device_bytes), OrDash(resources.write_amplification)});
  }
  if (rows.size() == 1) return "";
  DropEmptyColumns(&rows);
  return Aligned(rows, /*labels=*/2);
}

}  // namespace

std::string Aligned(const std::vector<std::vector<std::string>>& cells, size_t labels) {
  std::vector<std::vector<std::string>> rows = cells;
  for (std::vector<std::string>& row : rows) {
    for (std::string& cell : row) cell = Printable(cell);
  }
  std::vector<size_t> widths;
  for (const std::vector<std::string>& row : rows) {
    if (row.size() > widths.size()) widths.resize(row.size());
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string text;
  for (size_t next = labels; next < widths.size() || text.empty();) {
    // As many columns as fit, but at least one.
    std::vector<size_t> columns;
    size_t width = 0;
    for (size_t i = 0; i < std::min(labels, widths.size()); ++i) {
      columns.push_back(i);
      width += widths[i] + 2;
    }
    do {
      if (next == widths.size()) break;
      columns.push_back(next);
      width += widths[next] + 2;
      ++next;
    } while (next < widths.size() && width + widths[next] <= kColumns);
    if (!text.empty()) text += "\n";
    for (const std::vector<std::string>& row : rows) {
      for (const size_t i : columns) {
        if (i >= row.size()) break;
        const std::string space(widths[i] - Width(row[i]), ' ');
        absl::StrAppend(&text, i == 0 ? "" : "  ", i == 0 ? row[i] + space : space + row[i]);
      }
      while (!text.empty() && text.back() == ' ') text.pop_back();
      text += "\n";
    }
  }
  return text;
}

std::string AsTable(const Report& report) {
  std::string text =
      absl::StrCat(WrappedCommand(report.command), "\n", Printable(report.date), "\n\nMachine\n");
  AppendFacts(report.machine, &text);
  text += "\nSame work for all\n";
  AppendFacts(report.settings, &text);
  text += "\nSystems\n";
  for (const SystemReport& system : report.systems) {
    const std::string lines[] = {
        absl::StrFormat("  %s: %s, assertions %s", system.name, system.library, system.assertions),
        "    " + system.options, "    unsynced writes: " + system.durability};
    for (const std::string& line : lines) {
      absl::StrAppend(&text, Wrapped(Printable(line), 4), "\n");
    }
  }
  const size_t rounds = report.results.empty() ? 0 : report.results.front().rounds.size();
  absl::StrAppendFormat(
      &text, "\nOperations per second%s\n",
      rounds > 1 ? absl::StrFormat(", median of %d rounds ± half their range", rounds) : "");
  text += SpeedTable(report);
  text += Remarks(report);
  text += TooShort(report);

  const bool open_loop = std::any_of(
      report.results.begin(), report.results.end(),
      [](const Result& result) { return !result.rounds.empty() && result.rounds[0].target > 0; });
  const std::string latencies = LatencyTable(report);
  if (!latencies.empty()) {
    absl::StrAppendFormat(
        &text, "\n%s,\nmicroseconds per call\n%s",
        open_loop ? "Response time, open loop, from the moment the call should have begun"
                  : "Service time, closed loop: a stall delays the next call, not its clock",
        latencies);
  }
  const std::string resources = ResourceTable(report);
  if (!resources.empty()) {
    absl::StrAppend(&text,
                    "\nResources, medians (CPU of all threads; RAM is anonymous memory; 'close'\n"
                    "is of all writes since the store was empty)\n",
                    resources);
  }
  return text;
}

std::string AsPercentiles(const Report& report) {
  std::string text;
  for (const Result& result : report.results) {
    if (!result.Done()) continue;
    absl::StrAppendFormat(&text, "\n# %s, %s, microseconds\n%s", Printable(result.benchmark),
                          Printable(result.system), result.Latency().PercentileText(1000));
  }
  return text;
}

}  // namespace rumcask::bench
