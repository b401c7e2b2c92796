// rumcask repair DB --into NEW

#include "core/repair.h"

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"

#include "tools/cli/command.h"
#include "tools/cli/commands.h"
#include "tools/cli/damage_report.h"
#include "tools/cli/figures.h"
#include "tools/cli/open_database.h"
#include "tools/cli/output.h"

namespace rumcask::cli {
namespace {

std::string AsText(const RepairReport& report) {
  return DamageLines(report.damages) +
         absl::StrFormat(
             "%s kept\n"
             "%s written anew\n"
             "%s lost: reading the key says so until it is written again\n"
             "%s unreadable: keys that were only there may have come back with an older value\n",
             FormatCount(report.records_kept, "record"),
             FormatCount(report.deletes_restored, "damaged delete"),
             FormatCount(report.values_lost, "value"), FormatBytes(report.bytes_unreadable));
}

absl::Status RepairInto(const Flags& flags, std::string_view into) {
  const absl::StatusOr<RepairReport> report =
      RetryWhileLocked(flags, [&] { return Repair(flags.db, into); });
  if (!report.ok()) return report.status();
  absl::Status status = Print(AsText(*report));
  if (!status.ok()) return status;
  if (report->values_lost == 0 && report->bytes_unreadable == 0) return absl::OkStatus();
  return absl::DataLossError(absl::StrFormat("%s is complete but for what is lost", into));
}

}  // namespace

int RunRepair(const std::vector<std::string>& arguments) {
  CommandLine line(
      "Writes what is sound of the database to a new one. The old one is only read. Exit code 3 "
      "if the new database was written, but something is lost.");
  Flags flags;
  std::string into;
  AddDatabase(&line, &flags);
  line.RequiredOption("--into", "NEW", &into,
                      "Directory of the new database, which must not exist");
  return Run("repair", &line, arguments, [&] { return RepairInto(flags, into); });
}

}  // namespace rumcask::cli
