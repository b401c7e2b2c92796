// The text format of Berkeley DB's db_dump, which LMDB's mdb_dump and mdb_load speak as well.
//
//   VERSION=3
//   format=print
//   type=btree
//   HEADER=END
//    key
//    value
//   DATA=END
//
// A line of data begins with a space. format=bytevalue gives bytes as two hexadecimal digits each,
// format=print gives printable ASCII as it is and the rest as a backslash and two such digits.
//
// mdb_dump -p of LMDB before 0.9.25 does not escape backslashes: `\ab` in what it has written may
// be three bytes or one. Nothing in the file tells which version it was.

#ifndef RUMCASK_TOOLS_CLI_DUMP_FORMAT_H_
#define RUMCASK_TOOLS_CLI_DUMP_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "tools/cli/line_reader.h"
#include "tools/cli/output.h"
#include "tools/cli/records.h"

namespace rumcask::cli {

enum class DumpEncoding { kByteValue, kPrint };

// Decodes one line of data, given in pieces without its leading space.
class DumpDecoder {
 public:
  // Appends to `*to`, at most `limit` bytes. `what` is for messages.
  DumpDecoder(DumpEncoding encoding, std::string_view what, size_t limit, std::string* to)
      : encoding_(encoding), what_(what), limit_(limit), to_(to) {}

  // InvalidArgument if that is no such line.
  absl::Status Append(std::string_view piece);
  absl::Status Finish() const;

 private:
  // What the last character was.
  enum class State { kBetween, kBackslash, kFirstDigit };

  absl::Status AppendPrint(std::string_view piece);
  absl::Status AppendByteValue(std::string_view piece);
  absl::Status AppendDigit(char digit);
  absl::Status BadEscape() const;
  absl::Status TooLong() const;

  const DumpEncoding encoding_;
  const std::string_view what_;
  const size_t limit_;
  std::string* const to_;
  State state_ = State::kBetween;
  int first_digit_ = 0;
};

// Reads a dump of one database without duplicate keys.
class DumpReader : public RecordReader {
 public:
  // `escapes_confirmed`: a backslash escapes, whatever program has written the dump, which must be
  // format=print.
  DumpReader(bool escapes_confirmed, LineReader* lines)
      : escapes_confirmed_(escapes_confirmed), lines_(lines) {}

  absl::Status Begin() override;
  absl::StatusOr<bool> Next(std::string* key, std::string* value) override;
  Remedy remedy() const override { return remedy_; }
  std::string Note() const override { return ""; }

 private:
  absl::Status EndOfHeader() const;
  absl::Status TakeHeaderLine(std::string_view name, std::string_view value);
  // The line just started, whose leading space has been seen if `rest` is given.
  absl::Status ReadData(std::string_view what, size_t limit, std::string_view rest,
                        std::string* to);
  // Whether the line of data was there to its end.
  absl::Status EndOfData(std::string_view what);
  absl::Status AfterLastRecord(std::string_view first_piece);

  const bool escapes_confirmed_;
  LineReader* const lines_;
  DumpEncoding encoding_ = DumpEncoding::kByteValue;
  // LMDB's mdb_dump alone writes this line.
  bool has_maxreaders_ = false;
  Remedy remedy_ = Remedy::kNone;
};

// Whose loader shall read the dump. LMDB's needs a line that Berkeley DB's refuses.
enum class DumpTarget { kLmdb, kBerkeleyDb };

class DumpWriter : public RecordWriter {
 public:
  // `content_bytes`: about how much there will be to write. LMDB must be told how large a database
  // may become, so the header claims several times that, which costs nothing until it is used.
  DumpWriter(DumpEncoding encoding, DumpTarget target, uint64_t content_bytes, Output* output)
      : encoding_(encoding), target_(target), content_bytes_(content_bytes), output_(output) {}

  void Begin() override;
  absl::Status Write(std::string_view key, std::string_view value) override;
  void End() override;

 private:
  void WriteLine(std::string_view bytes);

  const DumpEncoding encoding_;
  const DumpTarget target_;
  const uint64_t content_bytes_;
  Output* const output_;
};

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_DUMP_FORMAT_H_
