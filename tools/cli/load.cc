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

struct LoadFlags {
  std::string file;
  std::optional<std::string> separator;  // none: the format is that of db_dump
  uint64_t skip = 0;
  std::optional<std::string> format;
  // With a separator only.
  bool header = false;
  std::optional<std::string> comment;
  bool bare_keys = false;
  std::optional<std::string> on_error;
  std::optional<std::string> rejects;

  bool LeavesOut() const { return on_error.has_value() && *on_error == "skip"; }
};

// OK if the flags go together.
absl::Status Check(const Flags& flags, const LoadFlags& load) {
  const bool delimited = load.separator.has_value();
  if (!delimited && flags.hex) {
    return UsageError("--hex goes with --separator: a dump says itself what its encoding is");
  }
  if (load.format && (delimited || *load.format != "print")) {
    return UsageError(delimited ? "--format does not go with --separator"
                                : "--format takes only print, which the dump must say as well");
  }
  if (!delimited &&
      (load.header || load.comment || load.bare_keys || load.on_error || load.rejects)) {
    return UsageError(
        "--header, --comment, --bare-keys, --on-error and --rejects go with --separator: a dump is "
        "either whole or damaged");
  }
  if (load.on_error && *load.on_error != "stop" && *load.on_error != "skip") {
    return UsageError(absl::StrFormat("--on-error: '%s' is neither stop nor skip", *load.on_error));
  }
  if (load.rejects && !load.LeavesOut()) return UsageError("--rejects goes with --on-error skip");
  if (load.rejects && *load.rejects == "-") return UsageError("--rejects takes a file");
  return absl::OkStatus();
}

absl::Status Load(const Flags& flags, const LoadFlags& load) {
  absl::Status status = Check(flags, load);
  if (!status.ok()) return status;
  LinesOptions options;
  if (load.separator) {
    absl::StatusOr<std::string> parsed = ParseSeparator(*load.separator, flags.hex);
    if (!parsed.ok()) return UsageError(std::string(parsed.status().message()));
    options.separator = *std::move(parsed);
  }
  if (load.comment) {
    absl::StatusOr<std::string> parsed = ParseComment(*load.comment);
    if (!parsed.ok()) return UsageError(std::string(parsed.status().message()));
    options.comment = *std::move(parsed);
  }
  options.hex = flags.hex;
  options.header = load.header;
  options.bare_keys = load.bare_keys;
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
  LinesReader* delimited = nullptr;
  if (load.separator) {
    auto reader = std::make_unique<LinesReader>(std::move(options), &lines);
    delimited = reader.get();
    records = std::move(reader);
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
    absl::StrAppend(&text, ", ", FormatCount(loader.left_out(), "line"), " left out");
  }
  if (load.comment) {
    absl::StrAppend(&text, ", ", FormatCount(delimited->comments(), "comment"));
  }
  return Print(text + "\n");
}

}  // namespace

int RunLoad(const std::vector<std::string>& arguments) {
  CommandLine line(
      "Stores the records of FILE, which is a dump by 'rumcask dump', LMDB's mdb_dump or Berkeley "
      "DB's db_dump, or, with --separator, has a key and a value in each line. Creates the "
      "database if there is none. If it succeeds, the records survive a power cut. A line that "
      "cannot be loaded, unless --on-error says otherwise, or Ctrl-C ends the load. The records "
      "before that stay loaded, and the message says with which --skip to continue.");
  Flags flags;
  LoadFlags load;
  AddDatabase(&line, &flags);
  line.Argument("FILE", &load.file, "- means standard input");
  line.Option("--separator", "TEXT", &load.separator,
              "In each line the key ends at the first TEXT, and the rest is the value; \\t means a "
              "tab; blank lines are left out");
  line.Option("--skip", "N", &load.skip,
              "Skip the first N records; lines that cannot be loaded count, those that are none do "
              "not");
  line.Flag("--header", &load.header,
            "The first line that is neither blank nor a comment is no record");
  line.Option("--comment", "TEXT", &load.comment, "Lines that begin with TEXT are no records");
  line.Flag("--bare-keys", &load.bare_keys,
            "A line without a separator is a key whose value is empty");
  line.Option("--on-error", "skip", &load.on_error,
              "Leave out lines that cannot be loaded, and count them; default stop");
  line.Option("--rejects", "FILE", &load.rejects,
              "Copy what is left out to FILE, a new one, in the same order");
  line.Option(
      "--format", "print", &load.format,
      "Treat every backslash in a dump by mdb_dump -p as an escape; mdb_dump before LMDB 0.9.25 "
      "did not escape backslashes");
  AddKeystore(&line, &flags);
  AddHex(&line, &flags);
  return Run("load", &line, arguments, [&] { return Load(flags, load); });
}

}  // namespace rumcask::cli
