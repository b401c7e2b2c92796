// rumcask load DB FILE

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "core/db.h"
#include "tools/cli/command.h"
#include "tools/cli/commands.h"
#include "tools/cli/csv_format.h"
#include "tools/cli/dump_format.h"
#include "tools/cli/figures.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/line_reader.h"
#include "tools/cli/lines_format.h"
#include "tools/cli/loader.h"
#include "tools/cli/open_database.h"
#include "tools/cli/output.h"
#include "tools/cli/rejects.h"

namespace rumcask::cli {
namespace {

enum class Format { kDump, kLines, kCsv };

struct LoadFlags {
  std::string file;
  std::optional<std::string> separator;
  uint64_t skip = 0;
  std::optional<std::string> format;
  // Of lines and CSV only.
  bool header = false;
  std::optional<std::string> on_error;
  std::optional<std::string> rejects;
  // Of lines only.
  std::optional<std::string> comment;
  bool bare_keys = false;
  // Of CSV only.
  std::optional<std::string> key_column;
  std::optional<std::string> value_column;

  Format FormatOf() const {
    if (format == "csv") return Format::kCsv;
    return separator ? Format::kLines : Format::kDump;
  }
  bool LeavesOut() const { return on_error.has_value() && *on_error == "skip"; }
};

// OK if the flags go together.
absl::Status Check(const Flags& flags, const LoadFlags& load) {
  const Format format = load.FormatOf();
  // What dump calls so.
  if (load.format == "lines") {
    return UsageError(
        "--format lines is what --separator alone means; '\\t' is the separator of 'rumcask dump "
        "--format lines'");
  }
  if (load.format == "bytevalue") {
    return UsageError("--format bytevalue is not needed: a dump says itself what its encoding is");
  }
  if (load.format && *load.format != "csv" && *load.format != "print") {
    return UsageError(absl::StrFormat(
        "--format: '%s' is neither csv nor print, which the dump must say as well", *load.format));
  }
  if (format == Format::kLines && load.format) {
    return UsageError("--format print does not go with --separator");
  }
  if (format == Format::kDump && flags.hex) {
    return UsageError(
        "--hex goes with --separator or --format csv: a dump says itself what its encoding is");
  }
  if (format == Format::kDump && (load.header || load.on_error || load.rejects)) {
    return UsageError(
        "--header, --on-error and --rejects go with --separator or --format csv: a dump is either "
        "whole or damaged");
  }
  if (format != Format::kLines && (load.comment || load.bare_keys)) {
    return UsageError("--comment and --bare-keys go with --separator, without --format csv");
  }
  if (format != Format::kCsv && (load.key_column || load.value_column)) {
    return UsageError("--key-column and --value-column go with --format csv");
  }
  if (load.on_error && *load.on_error != "stop" && *load.on_error != "skip") {
    return UsageError(absl::StrFormat("--on-error: '%s' is neither stop nor skip", *load.on_error));
  }
  if (load.rejects && !load.LeavesOut()) return UsageError("--rejects goes with --on-error skip");
  if (load.rejects && *load.rejects == "-") return UsageError("--rejects takes a file");
  return absl::OkStatus();
}

absl::StatusOr<LinesOptions> LinesOptionsOf(const Flags& flags, const LoadFlags& load) {
  LinesOptions options;
  absl::StatusOr<std::string> separator = ParseSeparator(*load.separator, flags.hex);
  if (!separator.ok()) return UsageError(std::string(separator.status().message()));
  options.separator = *std::move(separator);
  if (load.comment) {
    absl::StatusOr<std::string> comment = ParseComment(*load.comment);
    if (!comment.ok()) return UsageError(std::string(comment.status().message()));
    options.comment = *std::move(comment);
  }
  options.hex = flags.hex;
  options.header = load.header;
  options.bare_keys = load.bare_keys;
  return options;
}

// Nothing if the user has not given `flag`.
absl::StatusOr<std::optional<CsvColumn>> ColumnOf(std::string_view flag,
                                                  const std::optional<std::string>& text,
                                                  bool header) {
  if (!text) return std::nullopt;
  absl::StatusOr<CsvColumn> column = ParseCsvColumn(*text);
  if (!column.ok()) {
    return UsageError(absl::StrFormat("%s: %s", flag, column.status().message()));
  }
  if (column->number == 0 && !header) {
    return UsageError(absl::StrFormat("%s: the name '%s' goes with --header", flag, *text));
  }
  return *std::move(column);
}

absl::StatusOr<CsvOptions> CsvOptionsOf(const Flags& flags, const LoadFlags& load) {
  CsvOptions options;
  const absl::StatusOr<char> separator = ParseCsvSeparator(load.separator.value_or(","), flags.hex);
  if (!separator.ok()) return UsageError(std::string(separator.status().message()));
  options.separator = *separator;
  options.hex = flags.hex;
  options.header = load.header;
  absl::StatusOr<std::optional<CsvColumn>> column =
      ColumnOf("--key-column", load.key_column, load.header);
  if (!column.ok()) return column.status();
  options.key = *std::move(column);
  column = ColumnOf("--value-column", load.value_column, load.header);
  if (!column.ok()) return column.status();
  options.value = *std::move(column);
  return options;
}

absl::Status Load(const Flags& flags, const LoadFlags& load) {
  absl::Status status = Check(flags, load);
  if (!status.ok()) return status;
  const Format format = load.FormatOf();
  absl::StatusOr<LinesOptions> of_lines;
  absl::StatusOr<CsvOptions> of_csv;
  if (format == Format::kLines) {
    of_lines = LinesOptionsOf(flags, load);
    if (!of_lines.ok()) return of_lines.status();
  } else if (format == Format::kCsv) {
    of_csv = CsvOptionsOf(flags, load);
    if (!of_csv.ok()) return of_csv.status();
  }
  const bool standard_input = load.file == "-";
  const std::string name = standard_input ? "standard input" : load.file;
  const int fd = standard_input ? STDIN_FILENO : ::open(load.file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return absl::FailedPreconditionError(
        absl::StrFormat("cannot open %s: %s", name, std::strerror(errno)));
  }
  const auto close_file = absl::MakeCleanup([&] {
    if (!standard_input) ::close(fd);
  });
  struct stat about = {};
  const bool known = ::fstat(fd, &about) == 0;
  if (known && S_ISDIR(about.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrFormat("cannot load %s: it is a directory; to copy a database, load what 'rumcask "
                        "dump' prints of it",
                        name));
  }
  const bool sized = known && S_ISREG(about.st_mode);

  Interrupt interrupt;
  LineReader lines(fd);
  std::unique_ptr<RecordReader> records;
  const LinesReader* with_comments = nullptr;
  if (format == Format::kLines) {
    auto reader = std::make_unique<LinesReader>(*std::move(of_lines), &lines);
    with_comments = reader.get();
    records = std::move(reader);
  } else if (format == Format::kCsv) {
    records = std::make_unique<CsvReader>(*std::move(of_csv), &lines);
  } else {
    records = std::make_unique<DumpReader>(load.format.has_value(), &lines);
  }
  Rejects rejects(load.rejects);
  status = rejects.Check(flags.db);
  if (!status.ok()) return status;
  LoaderOptions loading;
  loading.file = name;
  loading.file_bytes = sized ? static_cast<uint64_t>(about.st_size) : 0;
  loading.skip = load.skip;
  if (format == Format::kLines) loading.unit = "line";
  const std::string_view unit = loading.unit;
  if (load.LeavesOut()) loading.rejects = &rejects;
  Loader loader(std::move(loading), &lines, records.get());
  // Done before opening, so that a wrong file creates no database.
  status = loader.Begin();
  if (!status.ok()) return status;
  // Waiting for the database and opening it need no orderly end.
  interrupt.Pause();
  if (Interrupt::Raised()) return loader.Interrupted();
  absl::StatusOr<std::unique_ptr<DB>> db = OpenForWriting(flags, /*create_if_missing=*/true);
  if (!db.ok()) return db.status();
  interrupt.Resume();
  status = loader.LoadInto(db->get());
  const absl::Status closed = (*db)->Close();
  if (!status.ok()) return status;
  if (!closed.ok()) return closed;
  std::string text = FormatCount(loader.committed(), "record") + " loaded";
  if (load.LeavesOut()) {
    absl::StrAppend(&text, ", ", FormatCount(loader.left_out(), unit), " left out");
  }
  if (load.comment) {
    absl::StrAppend(&text, ", ", FormatCount(with_comments->comments(), "comment"));
  }
  return Print(text + "\n");
}

}  // namespace

int RunLoad(const std::vector<std::string>& arguments) {
  CommandLine line(
      "Stores the records of FILE, which is a dump by 'rumcask dump', LMDB's mdb_dump or Berkeley "
      "DB's db_dump; with --separator, it has a key and a value in each line, and with --format "
      "csv "
      "it is CSV. Creates the database if there is none. If it succeeds, the records survive a "
      "power cut. A record that cannot be loaded, unless --on-error says otherwise, or Ctrl-C ends "
      "the load. The records before that stay loaded, and the message says with which --skip to "
      "continue.");
  Flags flags;
  LoadFlags load;
  AddDatabase(&line, &flags);
  line.Argument("FILE", &load.file, "- means standard input");
  line.Option("--separator", "TEXT", &load.separator,
              "In each line the key ends at the first TEXT, and the rest is the value; \\t means a "
              "tab; blank lines are left out. With --format csv, TEXT is one byte, by default a "
              "comma");
  line.Option(
      "--format", "FORMAT", &load.format,
      "csv: a record is a key and a value, each in quotes if it has separators, quotes (doubled) "
      "or line breaks in it, as in RFC 4180. print: treat every backslash in a dump by "
      "mdb_dump -p as an escape; mdb_dump before LMDB 0.9.25 did not escape backslashes");
  line.Option("--key-column", "COLUMN", &load.key_column,
              "The column of CSV that is the key, by its number from 1 on or, with --header, its "
              "name; default the first. If a column is chosen, the others are left out");
  line.Option("--value-column", "COLUMN", &load.value_column,
              "The same for the value; default the second. No column is taken for both unless both "
              "options say so");
  line.Option("--skip", "N", &load.skip,
              "Skip the first N records; those that cannot be loaded count, lines that are none do "
              "not");
  line.Flag("--header", &load.header,
            "The first line that is neither blank nor a comment, or the first record of CSV, is no "
            "record");
  line.Option("--comment", "TEXT", &load.comment, "Lines that begin with TEXT are no records");
  line.Flag("--bare-keys", &load.bare_keys,
            "A line without a separator is a key whose value is empty");
  line.Option("--on-error", "skip", &load.on_error,
              "Leave out lines, or records of CSV, that cannot be loaded, and count them; default "
              "stop. A record with a quote in the wrong place ends with the line of the quote");
  line.Option(
      "--rejects", "FILE", &load.rejects,
      "Copy what is left out to FILE, a new one, in the same order. With --header the header "
      "comes first, so that FILE is loaded, once it is mended, with the same options");
  AddKeystore(&line, &flags);
  AddHex(&line, &flags);
  return Run("load", &line, arguments, [&] { return Load(flags, load); });
}

}  // namespace rumcask::cli
