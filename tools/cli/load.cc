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
#include "tools/cli/open_database.h"
#include "tools/cli/output.h"
#include "tools/cli/progress.h"

namespace rumcask::cli {
namespace {

// A batch is written once it has this much.
constexpr uint64_t kBatchBytes = uint64_t{256} << 10;
constexpr size_t kBatchRecords = 1000;

struct LoadFlags {
  std::string file;
  std::optional<std::string> separator;  // none: the format of db_dump
  uint64_t skip = 0;
  std::optional<std::string> format;
};

// Takes records from a file to a database, a batch at a time.
class Loader {
 public:
  Loader(std::string file, uint64_t file_bytes, LineReader* lines, RecordReader* records)
      : file_(std::move(file)), lines_(lines), records_(records), progress_("load", file_bytes) {}

  absl::Status Begin() { return AtLine(records_->Begin()); }
  absl::Status Skip(uint64_t count);
  absl::Status LoadInto(DB* db);
  uint64_t committed() const { return committed_; }

 private:
  // Names the line, and says how to go on.
  absl::Status AtLine(const absl::Status& status) const;
  // `bad_record`: the one that comes next can't be loaded, but it can be left out.
  std::string WhereToGoOn(bool bad_record) const;
  absl::Status Add(DB* db, const std::string& key, const std::string& value);
  absl::Status Commit(DB* db);

  const std::string file_;
  LineReader* const lines_;
  RecordReader* const records_;
  Progress progress_;
  WriteBatch batch_;
  uint64_t batch_first_line_ = 0;
  uint64_t batch_last_line_ = 0;
  uint64_t skipped_ = 0;
  uint64_t committed_ = 0;
};

absl::Status Loader::AtLine(const absl::Status& status) const {
  if (status.ok()) return status;
  return Prefixed(absl::StrFormat("%s:%d: ", file_, lines_->line_number()), status);
}

std::string Loader::WhereToGoOn(bool bad_record) const {
  const uint64_t done = skipped_ + committed_;
  const std::string loaded = FormatCount(committed_, "record");
  if (bad_record) {
    return absl::StrFormat(
        "; %s loaded before: mend it and go on with --skip %d, or leave it out with --skip %d",
        loaded, done, done + 1);
  }
  return absl::StrFormat("; %s loaded before, go on with --skip %d", loaded, done);
}

absl::Status Loader::Skip(uint64_t count) {
  for (; skipped_ < count; ++skipped_) {
    const absl::StatusOr<bool> more = records_->Next(nullptr, nullptr);
    if (!more.ok()) return AtLine(more.status());
    if (!*more) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: there are only %d records to skip", file_, skipped_));
    }
  }
  return absl::OkStatus();
}

absl::Status Loader::LoadInto(DB* db) {
  std::string key;
  std::string value;
  absl::StatusOr<bool> more = true;
  while (true) {
    more = records_->Next(&key, &value);
    if (!more.ok() || !*more) break;
    if (Interrupt::Raised()) {
      more = absl::CancelledError("interrupted");
      break;
    }
    if (committed_ + batch_.count() == 0 && !records_->Note().empty()) {
      progress_.Erase();
      PrintError(absl::StrCat("note: ", records_->Note()));
    }
    absl::Status status = Add(db, key, value);
    if (!status.ok()) return status;
    progress_.Update(committed_ + batch_.count(), lines_->consumed());
  }
  // What came before a bad line, or before Ctrl-C, counts.
  const bool interrupted = absl::IsCancelled(more.status());
  const bool bad_record = !interrupted && records_->CanSkip();
  absl::Status bad_line = interrupted ? more.status() : AtLine(more.status());
  absl::Status status = Commit(db);
  if (status.ok()) status = db->Sync();
  if (!status.ok()) return status;
  progress_.Erase();
  if (bad_line.ok()) return bad_line;
  return absl::Status(bad_line.code(), absl::StrCat(bad_line.message(), WhereToGoOn(bad_record)));
}

absl::Status Loader::Add(DB* db, const std::string& key, const std::string& value) {
  if (batch_.count() == kBatchRecords ||
      (!batch_.empty() && batch_.encoded_bytes() + key.size() + value.size() > kBatchBytes)) {
    absl::Status status = Commit(db);
    if (!status.ok()) return status;
  }
  if (batch_.empty()) batch_first_line_ = lines_->line_number();
  batch_last_line_ = lines_->line_number();
  batch_.Put(key, value);
  return absl::OkStatus();
}

absl::Status Loader::Commit(DB* db) {
  if (batch_.empty()) return absl::OkStatus();
  absl::Status status = db->Write(batch_);
  if (!status.ok()) {
    progress_.Erase();
    return absl::Status(
        status.code(),
        absl::StrCat(absl::StrFormat("%s: one of the %d records up to line %d, from line %d: ",
                                     file_, batch_.count(), batch_last_line_, batch_first_line_),
                     status.message(), WhereToGoOn(/*bad_record=*/false)));
  }
  committed_ += batch_.count();
  batch_.Clear();
  return absl::OkStatus();
}

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

  const Interrupt interrupt;
  LineReader lines(fd);
  std::unique_ptr<RecordReader> records;
  if (delimited) {
    records = std::make_unique<LinesReader>(separator, flags.hex, &lines);
  } else {
    records = std::make_unique<DumpReader>(load.format.has_value(), &lines);
  }
  Loader loader(name, sized ? static_cast<uint64_t>(about.st_size) : 0, &lines, records.get());
  // Before opening, so that a wrong file creates no database.
  absl::Status status = loader.Begin();
  if (status.ok()) status = loader.Skip(load.skip);
  if (!status.ok()) return status;
  absl::StatusOr<std::unique_ptr<DB>> db = OpenForWriting(flags, /*create_if_missing=*/true);
  if (!db.ok()) return db.status();
  status = loader.LoadInto(db->get());
  const absl::Status closed = (*db)->Close();
  if (!status.ok()) return status;
  if (!closed.ok()) return closed;
  return Print(absl::StrFormat("%s loaded\n", FormatCount(loader.committed(), "record")));
}

}  // namespace

int RunLoad(const std::vector<std::string>& arguments) {
  CommandLine line(
      "Stores the records of FILE, which 'rumcask dump', LMDB's mdb_dump or Berkeley DB's db_dump "
      "has written, or with --separator lines of a key and a value. Creates the database if there "
      "is none. When it succeeds the records survive a power cut. A line that can't be loaded ends "
      "it, as does Ctrl-C; what was before stays loaded, and the message tells the --skip that "
      "goes "
      "on from there.");
  Flags flags;
  LoadFlags load;
  AddDatabase(&line, &flags);
  line.Argument("FILE", &load.file, "- means standard input");
  line.Option("--separator", "TEXT", &load.separator,
              "Each line is a key, up to the first TEXT, and a value, the rest; \\t means a tab");
  line.Option("--skip", "N", &load.skip, "Leave out the first N records");
  line.Option(
      "--format", "print", &load.format,
      "Confirms that in a dump of LMDB's mdb_dump -p a backslash escapes, which before LMDB "
      "0.9.25 it does not always");
  AddKeystore(&line, &flags);
  AddHex(&line, &flags);
  return Run("load", &line, arguments, [&] { return Load(flags, load); });
}

}  // namespace rumcask::cli
