// rumcask dump DB

#include <unistd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "core/db.h"
#include "core/stats.h"
#include "tools/cli/command.h"
#include "tools/cli/commands.h"
#include "tools/cli/csv_format.h"
#include "tools/cli/dump_format.h"
#include "tools/cli/figures.h"
#include "tools/cli/lines_format.h"
#include "tools/cli/open_database.h"
#include "tools/cli/output.h"
#include "tools/cli/progress.h"

namespace rumcask::cli {
namespace {

struct DumpFlags {
  std::optional<std::string> format;
  std::optional<std::string> separator;
  std::optional<std::string> target;
};

absl::Status CopyRecords(const ReadOnlyDatabase& database, Iterator* it, uint64_t key_count,
                         RecordWriter* writer, Output* output, uint64_t* records) {
  Progress progress("dump", key_count);
  for (; it->Valid() && output->status().ok(); it->Next()) {
    absl::Status status = writer->Write(it->key(), it->value());
    if (!status.ok()) return status;
    ++*records;
    progress.Update(*records, *records);
  }
  // Without its last line the dump is recognized as incomplete.
  const absl::Status damage = it->status().ok() ? database.complete : it->status();
  if (damage.ok()) writer->End();
  absl::Status status = output->Flush();
  return status.ok() ? damage : status;
}

absl::Status Dump(const Flags& flags, const DumpFlags& dump) {
  const std::string format =
      dump.format.value_or(dump.separator.has_value() ? "lines" : "bytevalue");
  const bool csv = format == "csv";
  const bool delimited = csv || format == "lines";
  if (!delimited && format != "bytevalue" && format != "print") {
    return UsageError(absl::StrFormat("unknown format '%s'", format));
  }
  if (dump.separator && !delimited)
    return UsageError("--separator goes with --format lines or csv");
  if (flags.hex && !delimited) {
    return UsageError("--hex goes with --format lines or csv; bytevalue is hexadecimal as it is");
  }
  const std::string target = dump.target.value_or("lmdb");
  if (target != "lmdb" && target != "bdb") {
    return UsageError(absl::StrFormat("--for is lmdb or bdb, not '%s'", target));
  }
  if (dump.target && delimited) {
    return UsageError(absl::StrFormat("--for does not go with --format %s", format));
  }
  absl::StatusOr<std::string> separator = ParseSeparator(dump.separator.value_or("\t"), flags.hex);
  if (!separator.ok()) return UsageError(std::string(separator.status().message()));
  const absl::StatusOr<char> comma =
      ParseCsvSeparator(csv ? dump.separator.value_or(",") : ",", flags.hex);
  if (!comma.ok()) return UsageError(std::string(comma.status().message()));
  absl::StatusOr<ReadOnlyDatabase> database = OpenForReading(flags, ReadFrom::kLog);
  if (!database.ok()) return database.status();
  const Stats stats = database->db->GetStats();
  absl::StatusOr<std::unique_ptr<Iterator>> it = database->db->NewIterator();
  if (!it.ok()) return it.status();

  Output output(STDOUT_FILENO, "standard output");
  std::unique_ptr<RecordWriter> writer;
  const bool on_terminal = ::isatty(STDOUT_FILENO) == 1;
  if (csv) {
    writer = std::make_unique<CsvWriter>(*comma, flags.hex, on_terminal, &output);
  } else if (delimited) {
    writer = std::make_unique<LinesWriter>(*separator, flags.hex, on_terminal, &output);
  } else {
    writer = std::make_unique<DumpWriter>(
        format == "print" ? DumpEncoding::kPrint : DumpEncoding::kByteValue,
        target == "bdb" ? DumpTarget::kBerkeleyDb : DumpTarget::kLmdb, stats.live_bytes, &output);
  }
  writer->Begin();
  uint64_t records = 0;
  absl::Status status =
      CopyRecords(*database, it->get(), stats.keys, writer.get(), &output, &records);
  if (status.ok()) return status;
  const bool written = output.Flush().ok();
  if (absl::IsInvalidArgument(status)) {
    status = absl::Status(status.code(),
                          absl::StrCat(status.message(), ", which lines can't show without --hex"));
  }
  std::string missing = "; the dump is incomplete";
  // What was counted need not have been written.
  if (written && records < stats.keys) {
    absl::StrAppendFormat(&missing, ": it has %s of %s", FormatCount(records),
                          FormatCount(stats.keys, "record"));
  } else if (written && !delimited) {
    missing = "; the dump lacks its end";
  }
  return absl::Status(status.code(), absl::StrCat(status.message(), missing));
}

}  // namespace

int RunDump(const std::vector<std::string>& arguments) {
  CommandLine line(
      "Prints all records in the text format of LMDB and Berkeley DB, which 'rumcask load', "
      "mdb_load and, with --for bdb, db_load can read, as CSV, or as lines. On a terminal, keys "
      "and values in CSV and lines are escaped as by scan, which load does not undo. Records that "
      "cannot be read because of damage are left out; the dump then lacks its last line, DATA=END, "
      "and the exit code is 3. CSV and lines have no last line that would be missing: look at the "
      "exit code.");
  Flags flags;
  DumpFlags dump;
  AddDatabase(&line, &flags);
  line.Option(
      "--format", "FORMAT", &dump.format,
      "bytevalue (hexadecimal, the default), print (readable), csv, or lines, which fails at a "
      "record that a line cannot represent. 'rumcask load --format csv' reads every byte back; "
      "other programs may not take CSV with bytes that are no text without --hex");
  line.Option(
      "--separator", "TEXT", &dump.separator,
      "The text between key and value, by default a tab; implies --format lines unless that is "
      "csv, for which it is one byte, by default a comma");
  line.Option(
      "--for", "STORE", &dump.target,
      "The store that is to load the dump: lmdb (the default), or bdb, which leaves out the "
      "map size that only LMDB needs and Berkeley DB refuses");
  AddKeystore(&line, &flags);
  AddHex(&line, &flags);
  return Run("dump", &line, arguments, [&] { return Dump(flags, dump); });
}

}  // namespace rumcask::cli
