// Takes records from a file to a database.

#ifndef RUMCASK_TOOLS_CLI_LOADER_H_
#define RUMCASK_TOOLS_CLI_LOADER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "core/db.h"
#include "tools/cli/line_reader.h"
#include "tools/cli/progress.h"
#include "tools/cli/records.h"

namespace rumcask::cli {

// Errors name the file and the line and tell how to go on, if there is a way.
class Loader {
 public:
  // `file` is for messages, `file_bytes` its size if that is known, else 0. The first `skip`
  // records are left out.
  Loader(std::string file, uint64_t file_bytes, uint64_t skip, LineReader* lines,
         RecordReader* records);

  // Reads up to the first record that is to be stored, and that one: what is no file of records is
  // refused before there is a database.
  absl::Status Begin();

  // Stores the records, a batch at a time. Whatever ends it, those before it are stored and
  // survive a power cut.
  absl::Status LoadInto(DB* db);

  // The error after Ctrl-C, from which LoadInto and Begin come back by themselves.
  absl::Status Interrupted() const;

  // Records stored so far.
  uint64_t committed() const { return committed_; }

 private:
  struct Record {
    std::string key;
    std::string value;
    uint64_t first_line = 0;
    uint64_t last_line = 0;
  };

  absl::Status Skip();
  void ReadNext();
  bool BatchIsFull() const;
  absl::Status Commit(DB* db);
  // Those up to the first that the database refuses; that one is the error.
  absl::Status CommitOneByOne(DB* db);
  absl::Status StoreAll(DB* db);
  void TellNote();

  // `status` of reading, at the line where the reader stands, with the way to go on.
  absl::Status WhileReading(const absl::Status& status) const;
  absl::Status At(uint64_t line, const absl::Status& status) const;
  std::string WayOn(const absl::Status& status, RecordReader::Remedy remedy) const;

  const std::string file_;
  const uint64_t skip_;
  LineReader* const lines_;
  RecordReader* const records_;
  Progress progress_;
  // Read and not yet in the batch. Without one: why, or OK at the end of the file.
  Record next_;
  bool has_next_ = false;
  absl::Status end_;
  std::vector<Record> batch_;
  uint64_t batch_bytes_ = 0;
  uint64_t committed_ = 0;
  bool note_told_ = false;
};

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_LOADER_H_
