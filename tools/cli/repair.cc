// rumcask repair DB --into NEW

#include "core/check/repair.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "core/system/text.h"
#include "tools/cli/command.h"
#include "tools/cli/commands.h"
#include "tools/cli/damage_report.h"
#include "tools/cli/figures.h"
#include "tools/cli/json_text.h"
#include "tools/cli/open_database.h"
#include "tools/cli/output.h"

namespace rumcask::cli {
namespace {

std::string AsJson(const RepairReport& report) {
  const nlohmann::ordered_json json = {
      {"complete", report.complete()},
      {"records_kept", report.records_kept},
      {"deletes_restored", report.deletes_restored},
      {"records_renumbered", report.records_renumbered},
      {"headers_damaged", report.headers_damaged},
      {"manifest_lost", report.manifest_lost},
      {"segments_missing", report.segments_missing},
      {"values_lost", report.values_lost},
      {"bytes_unreadable", report.bytes_unreadable},
      {"incomplete_batches", report.incomplete_batches},
      {"records_dropped", report.records_dropped},
      {"bytes_dropped", report.bytes_dropped},
      {"versions_missing", report.versions_missing},
      {"damages", DamagesAsJson(report.damages)},
  };
  return JsonText(json, /*indent=*/2) + "\n";
}

std::string AsText(const RepairReport& report) {
  std::string text = DamageLines(report.damages);
  absl::StrAppend(&text, FormatCount(report.records_kept, "record"), " kept\n");
  const auto add = [&text](uint64_t count, const std::string& what, const char* then) {
    if (count > 0) absl::StrAppend(&text, what, then, "\n");
  };
  const auto add_count = [&add](uint64_t count, const char* noun, const char* then) {
    add(count, FormatCount(count, noun), then);
  };
  add_count(report.deletes_restored, "damaged delete", " written anew");
  add_count(report.records_renumbered, "record", " given a higher version");
  add_count(report.headers_damaged, "segment", " read without its header");
  add(report.manifest_lost, "MANIFEST lost",
      ": it is not known whether the newest segments are all there");
  add_count(report.segments_missing, "segment", " missing");
  add_count(report.values_lost, "value",
            " lost: reading the key is an error until it is written again");
  add(report.bytes_unreadable, FormatBytes(report.bytes_unreadable),
      " unreadable: keys that were only there may have come back with an older value");
  add(report.incomplete_batches,
      FormatCount(report.incomplete_batches) +
          (report.incomplete_batches == 1 ? " batch" : " batches"),
      " incomplete, of which nothing is kept");
  add(report.bytes_dropped, FormatBytes(report.bytes_dropped),
      absl::StrCat(" behind the end of the log not kept, with ",
                   FormatCount(report.records_dropped, "sound record"))
          .c_str());
  add_count(report.versions_missing, "version", " at the end missing, though durable");
  return text;
}

// Expresses the library's errors about the two paths in terms of the command line.
absl::Status Explained(std::string_view path, std::string_view into, const absl::Status& status) {
  if (absl::IsAlreadyExists(status)) {
    // A file may be in the way further up in the path.
    if (::access(std::string(into).c_str(), F_OK) != 0 && errno == ENOTDIR) {
      return AboutPath(into, /*create=*/true, status);
    }
    return absl::AlreadyExistsError(
        absl::StrCat(Text(into), " exists; --into needs a new directory"));
  }
  const absl::Status about_path = AboutPath(path, /*create=*/false, status);
  // Errors about `into`: its parent is missing, or it may not be created.
  const std::string start = absl::StrCat(Text(into), ":");
  const bool about_into =
      status.message().substr(0, start.size()) == start || absl::IsPermissionDenied(about_path);
  return about_into ? AboutPath(into, /*create=*/true, status) : about_path;
}

// The reason why the new database may not have everything.
std::string NotComplete(const RepairReport& report, std::string_view into) {
  RepairReport with_manifest = report;
  with_manifest.manifest_lost = false;
  if (with_manifest.complete()) {
    return absl::StrCat(
        Text(into),
        " has every record that was found; without MANIFEST it is not known whether "
        "the newest segments were all there");
  }
  return absl::StrCat(Text(into), " is complete but for what is lost");
}

absl::Status RepairInto(const Flags& flags, std::string_view into) {
  const absl::StatusOr<RepairReport> report =
      RetryWhileLocked(flags, [&] { return Repair(flags.db, into); });
  if (!report.ok()) return Explained(flags.db, into, report.status());
  absl::Status status = Print(flags.json ? AsJson(*report) : AsText(*report));
  if (!status.ok() || report->complete()) return status;
  return absl::DataLossError(NotComplete(*report, into));
}

}  // namespace

int RunRepair(const std::vector<std::string>& arguments) {
  CommandLine line(
      "Writes all undamaged records to a new database. The old one is only read. Exit code 3 if "
      "the new database was written but lacks something that may have been promised.");
  Flags flags;
  std::string into;
  AddDatabase(&line, &flags);
  AddJson(&line, &flags);
  line.RequiredOption("--into", "NEW", &into,
                      "Directory of the new database, which must not exist");
  return Run("repair", &line, arguments, [&] { return RepairInto(flags, into); });
}

}  // namespace rumcask::cli
