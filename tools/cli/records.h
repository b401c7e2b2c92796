// Keys and values as text in a file, whatever the format.

#ifndef RUMCASK_TOOLS_CLI_RECORDS_H_
#define RUMCASK_TOOLS_CLI_RECORDS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rumcask::cli {

// Reads one record after the other. An error is about the line that the LineReader stands at, and
// nothing can be read after it; a reader that begins anew may skip that record.
class RecordReader {
 public:
  virtual ~RecordReader() = default;
  // Reads up to the first record.
  virtual absl::Status Begin() = 0;
  // False at the end. Both null: skips a record without looking into it.
  virtual absl::StatusOr<bool> Next(std::string* key, std::string* value) = 0;
  // What helps after an InvalidArgument, besides what its message says.
  enum class Remedy {
    kNone,
    kMend,            // the file, after which it can be read on from the same record
    kMendOrLeaveOut,  // it is about one record, which can be skipped
  };
  virtual Remedy remedy() const = 0;
  // What is odd about the records read so far and does not keep them from being read; empty for
  // nothing.
  virtual std::string Note() const = 0;
};

// Writes one record after the other to an Output, whose errors are its own.
class RecordWriter {
 public:
  virtual ~RecordWriter() = default;
  virtual void Begin() = 0;
  // InvalidArgument, and nothing is written, if the format has no way to write this record.
  virtual absl::Status Write(std::string_view key, std::string_view value) = 0;
  virtual void End() = 0;
};

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_RECORDS_H_
