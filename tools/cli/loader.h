// Loads records from a file into a database.

#ifndef RUMCASK_TOOLS_CLI_LOADER_H_
#define RUMCASK_TOOLS_CLI_LOADER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "core/db.h"
#include "tools/cli/line_reader.h"
#include "tools/cli/progress.h"
#include "tools/cli/records.h"
#include "tools/cli/rejects.h"

namespace rumcask::cli {

struct LoaderOptions {
  // Of the file: its name, for messages, and its size, or 0 if that is not known.
  std::string file;
  uint64_t file_bytes = 0;
  // In which records that cannot be loaded are counted.
  std::string_view unit = "record";
  // So many records are left out at first.
  uint64_t skip = 0;
  // Where records go that cannot be loaded. Null: the first of them ends the load.
  Rejects* rejects = nullptr;
};

// Errors name the file and the line and say how to continue, if that is possible.
class Loader {
 public:
  Loader(LoaderOptions options, LineReader* lines, RecordReader* records);

  // Reads up to and including the first record to be stored, so that a file without one is refused
  // before a database is created, unless many have to be left out before it.
  absl::Status Begin();

  // Stores the records in batches. Whatever ends it, the records before that point are stored or
  // among the rejects, and survive a power cut.
  absl::Status LoadInto(DB* db);

  // The error to report after Ctrl-C. LoadInto and Begin return by themselves then.
  absl::Status Interrupted() const;

  // Records stored so far.
  uint64_t committed() const { return committed_; }
  // Records left out because they cannot be loaded.
  uint64_t left_out() const { return left_out_; }

 private:
  struct Record {
    std::string key;
    std::string value;
    // Why it cannot be loaded, if that is known from reading it.
    absl::Status refused;
    // What is copied if it is left out; nothing if it has no end that could be found in memory.
    std::optional<std::string> text;
    uint64_t first_line = 0;
    uint64_t last_line = 0;
    // Of records in the file up to this one.
    uint64_t count = 0;
  };

  absl::Status Skip();
  void ReadNext();
  bool BatchIsFull() const;
  absl::Status Commit(DB* db);
  absl::Status Write(DB* db);
  absl::Status EndBatch(uint64_t passed, absl::Status status);
  // Writes the records of the batch one by one. Returns the first error, unless the record can be
  // left out.
  absl::Status CommitOneByOne(DB* db);
  absl::Status StoreAll(DB* db);
  void AddToBatch();
  // After the record was stored, or left out because of `why`.
  absl::Status Pass(const Record& record, const absl::Status& why);
  // The line to name for a record that is refused.
  static uint64_t LineOf(const Record& record);
  void TellLeftOut(const Record& record, const absl::Status& where);
  absl::Status NothingLoaded() const;
  void TellNote();
  void Tell(const std::string& note);

  // `status`, which came from reading, with the line at which the reader stands and the way to
  // continue.
  absl::Status WhileReading(const absl::Status& status) const;
  absl::Status At(uint64_t line, const absl::Status& status) const;
  std::string WayOn(const absl::Status& status, RecordReader::Remedy remedy) const;

  const LoaderOptions options_;
  LineReader* const lines_;
  RecordReader* const records_;
  Progress progress_;
  // The record that was read and is not in the batch yet. If there is none: the error, or OK at the
  // end of the file.
  Record next_;
  bool has_next_ = false;
  absl::Status end_;
  std::vector<Record> batch_;
  uint64_t batch_bytes_ = 0;
  uint64_t committed_ = 0;
  uint64_t left_out_ = 0;
  absl::Status first_refused_;
  uint64_t read_ = 0;    // records of the file, those that were left out included
  uint64_t passed_ = 0;  // of them, those that need not be read again
  bool note_told_ = false;
};

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_LOADER_H_
