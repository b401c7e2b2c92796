// rumcask verify DB

#include "core/check/verify.h"

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

#include "tools/cli/command.h"
#include "tools/cli/commands.h"
#include "tools/cli/damage_report.h"
#include "tools/cli/figures.h"
#include "tools/cli/json_text.h"
#include "tools/cli/open_database.h"
#include "tools/cli/output.h"

namespace rumcask::cli {
namespace {

std::string AsJson(const VerifyReport& report) {
  const nlohmann::ordered_json json = {
      {"clean", report.clean()},
      {"segments", report.segments},
      {"records", report.records},
      {"puts", report.puts},
      {"deletes", report.deletes},
      {"keys", report.keys},
      {"bytes", report.bytes},
      {"unused_bytes", report.unused_bytes},
      {"damages", DamagesAsJson(report.damages)},
  };
  return JsonText(json, /*indent=*/2) + "\n";
}

std::string AsText(const VerifyReport& report) {
  std::string text = absl::StrFormat(
      "%s in %s read: %s (%s, %s) %s sound, %s\n", FormatBytes(report.bytes),
      FormatCount(report.segments, "segment"), FormatCount(report.records, "record"),
      FormatCount(report.puts, "put"), FormatCount(report.deletes, "delete"),
      report.records == 1 ? "is" : "are", FormatCount(report.keys, "key"));
  if (report.unused_bytes > 0) {
    absl::StrAppendFormat(&text, "%s after the end of the log are unused\n",
                          FormatBytes(report.unused_bytes));
  }
  return text + (report.clean() ? "no damage\n" : DamageLines(report.damages));
}

absl::Status Verify(const Flags& flags) {
  const absl::StatusOr<VerifyReport> report =
      RetryWhileLocked(flags, [&] { return VerifyFiles(flags.db); });
  if (!report.ok()) return AboutPath(flags.db, /*create=*/false, report.status());
  absl::Status status = Print(flags.json ? AsJson(*report) : AsText(*report));
  if (!status.ok() || report->clean()) return status;
  return absl::DataLossError(
      absl::StrFormat("%s damaged; 'rumcask repair' writes what is sound to a new database",
                      FormatCount(report->damages.size(), "place")));
}

}  // namespace

int RunVerify(const std::vector<std::string>& arguments) {
  CommandLine line(
      "Reads and checks every byte of the database. Changes nothing. Exit code 3 if there is "
      "damage.");
  Flags flags;
  AddDatabase(&line, &flags);
  AddJson(&line, &flags);
  return Run("verify", &line, arguments, [&] { return Verify(flags); });
}

}  // namespace rumcask::cli
