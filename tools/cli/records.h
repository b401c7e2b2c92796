// Keys and values as text in a file, in any format.

#ifndef RUMCASK_TOOLS_CLI_RECORDS_H_
#define RUMCASK_TOOLS_CLI_RECORDS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rumcask::cli {

// Reads one record after the other. An error is about the line at which the LineReader stands, and
// nothing can be read after it. A new reader may skip that record.
class RecordReader {
 public:
  virtual ~RecordReader() = default;
  // Reads up to the first record.
  virtual absl::Status Begin() = 0;
  // False at the end. If both are null, skips a record without decoding it.
  virtual absl::StatusOr<bool> Next(std::string* key, std::string* value) = 0;
  // What helps after InvalidArgument, besides what the message says.
  enum class Remedy {
    kNone,
    kMend,            // correct the file and continue from the same record
    kMendOrLeaveOut,  // the same, or skip the one record concerned
  };
  virtual Remedy remedy() const = 0;
  // The text, as it is in the file, of the record that was read last or, after InvalidArgument, is
  // concerned; null if it is not known where that ends. Valid until the next call.
  virtual const std::string* text() const { return nullptr; }
  // The text of the header, likewise, without a byte-order mark; empty if there is none.
  virtual std::string_view header() const { return {}; }
  // How many lines of the file the record that was read last takes.
  virtual uint64_t lines_per_record() const = 0;
  // A remark about what is odd in the records read so far although it did not prevent reading them;
  // empty if there is nothing.
  virtual std::string Note() const = 0;
  // The same about how the file ends, once Next has returned false.
  virtual std::string NoteAtEnd() const { return ""; }
};

// Writes one record after the other to an Output. Errors of the file are kept by the Output.
class RecordWriter {
 public:
  virtual ~RecordWriter() = default;
  virtual void Begin() = 0;
  // InvalidArgument, with nothing written, if the format cannot represent the record.
  virtual absl::Status Write(std::string_view key, std::string_view value) = 0;
  virtual void End() = 0;
};

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_RECORDS_H_
