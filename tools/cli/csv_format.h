// Comma-separated values as in RFC 4180.
//
//   key,value
//   "with ""quotes"", and
//   a line break","with a comma, too"
//
// A line ends with LF or with CR and LF. Bytes that are no text are written as they are; programs
// that expect text need them in hexadecimal.

#ifndef RUMCASK_TOOLS_CLI_CSV_FORMAT_H_
#define RUMCASK_TOOLS_CLI_CSV_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "tools/cli/line_reader.h"
#include "tools/cli/output.h"
#include "tools/cli/records.h"

struct csv_parser;  // NOLINT: libcsv's name

namespace rumcask::cli {

// The separator that the user means by `text`, in which `\t` is a tab. InvalidArgument if it cannot
// stand between the fields of a record.
absl::StatusOr<char> ParseCsvSeparator(std::string_view text, bool hex);

struct CsvColumn {
  uint64_t number = 0;  // from 1 on; 0: the column has `name` in the header
  std::string name;
};

// The column that the user means by a number or a name. InvalidArgument if there can be none.
absl::StatusOr<CsvColumn> ParseCsvColumn(std::string_view text);

struct CsvOptions {
  char separator = ',';
  // Keys and values are in hexadecimal.
  bool hex = false;
  // The first record has the names of the columns.
  bool header = false;
  // If neither is given, there are two columns, the key and the value. Otherwise, one that is not
  // given is the first or the second of as many columns as the first record has, unless that is the
  // other.
  std::optional<CsvColumn> key;
  std::optional<CsvColumn> value;
};

// Accepts no quote in a wrong place, and no record with another number of columns. Blank lines
// outside of quotes are left out, as they hold nothing.
class CsvReader : public RecordReader {
 public:
  CsvReader(CsvOptions options, LineReader* lines);
  ~CsvReader() override;
  CsvReader(const CsvReader&) = delete;
  CsvReader& operator=(const CsvReader&) = delete;

  absl::Status Begin() override;
  absl::StatusOr<bool> Next(std::string* key, std::string* value) override;
  Remedy remedy() const override { return remedy_; }
  // A record with a quote in a wrong place ends for it with the line of that quote.
  const std::string* text() const override {
    return remedy_ == Remedy::kMendOrLeaveOut ? &record_ : nullptr;
  }
  std::string_view header() const override { return header_; }
  uint64_t lines_per_record() const override { return lines_in_record_; }
  std::string Note() const override { return ""; }
  std::string NoteAtEnd() const override;

 private:
  // Reads the next record into key_ and value_ or, in the header, into names_.
  absl::StatusOr<bool> ReadRecord();
  // Appends the line just started to record_, and returns what of it there is to parse.
  absl::StatusOr<std::string_view> ReadLine();
  absl::Status ParseLine(std::string_view line);
  absl::Status Feed(std::string_view bytes);
  // What the parser calls for each field, and what that does.
  static void TakeField(void* bytes, size_t size, void* reader);
  void Take(std::string_view field);
  // Finds the columns in names_, which are the header if there is one.
  absl::Status FindColumns();
  absl::Status FindColumn(const CsvColumn& column, size_t* index) const;
  absl::Status CheckColumns();
  // For messages about a record that takes several lines.
  std::string WhereItBegins() const;

  const CsvOptions options_;
  LineReader* const lines_;
  const std::unique_ptr<csv_parser> parser_;
  size_t key_index_ = 0;
  size_t value_index_ = 1;
  size_t columns_;      // that each record has; 0 before it is known
  std::string record_;  // its text
  uint64_t first_line_ = 0;
  uint64_t lines_in_record_ = 0;
  // Of the record, the fields that were chosen and the number of all.
  std::string key_;
  std::string value_;
  size_t columns_in_record_ = 0;
  // All fields of the header, until the columns are found, and its text.
  bool in_header_ = false;
  std::vector<std::string> names_;
  std::string header_;
  Remedy remedy_ = Remedy::kNone;
};

// Puts each field in quotes, so that none can be taken for something else: a number, nothing at
// all, or a byte-order mark.
class CsvWriter : public RecordWriter {
 public:
  // `on_terminal`: keys and values are escaped for people to read; the output cannot be loaded
  // then.
  CsvWriter(char separator, bool hex, bool on_terminal, Output* output)
      : separator_(separator), hex_(hex), on_terminal_(on_terminal), output_(output) {}

  void Begin() override {}
  absl::Status Write(std::string_view key, std::string_view value) override;
  void End() override {}

 private:
  void WriteField(std::string_view bytes);
  void WriteQuoted(std::string_view text);

  const char separator_;
  const bool hex_;
  const bool on_terminal_;
  Output* const output_;
  std::string quoted_;
};

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_CSV_FORMAT_H_
