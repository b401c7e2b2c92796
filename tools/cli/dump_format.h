// The text format of Berkeley DB's db_dump, which LMDB's mdb_dump and mdb_load use as well.
//
//   VERSION=3
//   format=print
//   type=btree
//   HEADER=END
//    key
//    value
//   DATA=END
//
// A data line begins with a space. With format=bytevalue, each byte is two hexadecimal digits. With
// format=print, printable ASCII is written unchanged and any other byte as a backslash and two such
// digits.
//
// mdb_dump -p of LMDB before 0.9.25 does not escape backslashes: `\ab` in its output may be three
// bytes or one. The file does not say which version wrote it.

#ifndef RUMCASK_TOOLS_CLI_DUMP_FORMAT_H_
#define RUMCASK_TOOLS_CLI_DUMP_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "tools/cli/dump_header.h"
#include "tools/cli/line_reader.h"
#include "tools/cli/output.h"
#include "tools/cli/records.h"

namespace rumcask::cli {

// Decodes one data line, given in pieces without its leading space.
class DumpDecoder {
 public:
  // Appends to `*to`, at most `limit` bytes. `what` is for messages.
  DumpDecoder(DumpEncoding encoding, std::string_view what, size_t limit, std::string* to)
      : encoding_(encoding), what_(what), limit_(limit), to_(to) {}

  // InvalidArgument if the line is malformed.
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
  // `escapes_confirmed`: a backslash is an escape, whichever program wrote the dump, which must
  // have format=print.
  DumpReader(bool escapes_confirmed, LineReader* lines)
      : escapes_confirmed_(escapes_confirmed), lines_(lines) {}

  absl::Status Begin() override;
  absl::StatusOr<bool> Next(std::string* key, std::string* value) override;
  uint64_t lines_per_record() const override { return 2; }
  Remedy remedy() const override { return remedy_; }
  std::string Note() const override;

 private:
  absl::Status EndOfHeader() const;
  // Reads the line just started. If `rest` is given, its leading space has been read already.
  absl::Status ReadData(std::string_view what, size_t limit, std::string_view rest,
                        std::string* to);
  // An error if the data line ended early.
  absl::Status EndOfData(std::string_view what);
  absl::Status AfterLastRecord(std::string_view first_piece);
  // The error that names what begins in the line just started, behind the end of the dump.
  absl::Status AnotherDump();

  const bool escapes_confirmed_;
  LineReader* const lines_;
  DumpHeader header_;
  // The line of the first value that describes a database named by its key; 0 if there is none.
  uint64_t first_description_ = 0;
  Remedy remedy_ = Remedy::kNone;
};

// The program that is to load the dump. LMDB's needs a line that Berkeley DB's rejects.
enum class DumpTarget { kLmdb, kBerkeleyDb };

class DumpWriter : public RecordWriter {
 public:
  // `content_bytes`: approximately how much will be written. LMDB must be told how large a database
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
