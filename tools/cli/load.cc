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

namespace rumcask::cli {
namespace {

struct LoadFlags {
  std::string file;
  std::optional<std::string> separator;  // none: the format is that of db_dump
  uint64_t skip = 0;
  std::optional<std::string> format;
};

absl::Status Load(const Flags& flags, const LoadFlags& load) {
  const bool delimited = load.separator.has_value();
  std::string separator;
  if (delimited) {
    absl::StatusOr<std::string> parsed = ParseSeparator(*load.separator, flags.hex);
    if (!parsed.ok()) return UsageError(std::string(parsed.status().message()));
    separator = *std::move(parsed);
  } else if (flags.hex) {
    return UsageError("--hex goes with --separator: a dump says itself what its encoding is");
  }
  if (load.format && (delimited || *load.format != "print")) {
    return UsageError(delimited ? "--format does not go with --separator"
                                : "--format takes only print, which the dump must say as well");
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
  if (delimited) {
    records = std::make_unique<LinesReader>(separator, flags.hex, &lines);
  } else {
    records = std::make_unique<DumpReader>(load.format.has_value(), &lines);
  }
  Loader loader(name, sized ? static_cast<uint64_t>(about.st_size) : 0, load.skip, &lines,
                records.get());
  // Done before opening, so that a wrong file creates no database.
  absl::Status status = loader.Begin();
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
  return Print(absl::StrFormat("%s loaded\n", FormatCount(loader.committed(), "record")));
}

}  // namespace

int RunLoad(const std::vector<std::string>& arguments) {
  CommandLine line(
      "Stores the records of FILE, which is a dump by 'rumcask dump', LMDB's mdb_dump or Berkeley "
      "DB's db_dump, or, with --separator, has a key and a value in each line. Creates the "
      "database if there is none. If it succeeds, the records survive a power cut. A line that "
      "cannot be loaded, or Ctrl-C, ends the load. The records before that stay loaded, and the "
      "message says with which --skip to continue.");
  Flags flags;
  LoadFlags load;
  AddDatabase(&line, &flags);
  line.Argument("FILE", &load.file, "- means standard input");
  line.Option("--separator", "TEXT", &load.separator,
              "In each line the key ends at the first TEXT, and the rest is the value; \\t means a "
              "tab");
  line.Option("--skip", "N", &load.skip, "Skip the first N records");
  line.Option(
      "--format", "print", &load.format,
      "Treat every backslash in a dump by mdb_dump -p as an escape; mdb_dump before LMDB 0.9.25 "
      "did not escape backslashes");
  AddKeystore(&line, &flags);
  AddHex(&line, &flags);
  return Run("load", &line, arguments, [&] { return Load(flags, load); });
}

}  // namespace rumcask::cli
