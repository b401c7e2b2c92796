// One record per line: key, separator, value.

#ifndef RUMCASK_TOOLS_CLI_LINES_FORMAT_H_
#define RUMCASK_TOOLS_CLI_LINES_FORMAT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "tools/cli/line_reader.h"
#include "tools/cli/output.h"
#include "tools/cli/records.h"

namespace rumcask::cli {

// The separator that the user means by `text`; `\t` is a tab. InvalidArgument if it is empty or
// contains a newline or, with `hex`, a hexadecimal digit.
absl::StatusOr<std::string> ParseSeparator(std::string_view text, bool hex);
// The same for what comments begin with.
absl::StatusOr<std::string> ParseComment(std::string_view text);

struct LinesOptions {
  std::string separator;
  // Keys and values are in hexadecimal.
  bool hex = false;
  // The first line that is neither blank nor a comment is none of the records.
  bool header = false;
  // Lines that begin with this are none; empty: there are no such lines.
  std::string comment;
  // A line without a separator is a key whose value is empty.
  bool bare_keys = false;
};

// Splits each line at the first separator. Blank lines are left out, as they hold nothing. The last
// line may lack its newline.
class LinesReader : public RecordReader {
 public:
  LinesReader(LinesOptions options, LineReader* lines)
      : options_(std::move(options)), lines_(lines) {}

  absl::Status Begin() override { return absl::OkStatus(); }
  absl::StatusOr<bool> Next(std::string* key, std::string* value) override;
  Remedy remedy() const override { return remedy_; }
  std::string Note() const override;
  std::string NoteAtEnd() const override;
  const std::string* text() const override {
    return remedy_ == Remedy::kMendOrLeaveOut && whole_ ? &line_ : nullptr;
  }
  std::string_view header() const override { return header_; }
  uint64_t lines_per_record() const override { return 1; }
  // Lines so far that were comments.
  uint64_t comments() const { return comments_; }

 private:
  // Goes to the next line that is a record and reads it or, unless `whole`, no more of it than
  // tells that.
  absl::StatusOr<bool> NextLine(bool whole);
  // Of the line whose beginning is in line_. Counts what is left out.
  bool IsRecord();
  absl::Status Split(std::string* key, std::string* value) const;

  const LinesOptions options_;
  LineReader* const lines_;
  std::string line_;
  bool whole_ = false;  // the whole of the line is in line_
  bool header_passed_ = false;
  std::string header_;
  uint64_t comments_ = 0;
  Remedy remedy_ = Remedy::kNone;
  // The number of lines that were decoded and had a newline, and how many of them had a CR before
  // it.
  uint64_t lines_read_ = 0;
  uint64_t lines_with_cr_ = 0;
  uint64_t first_with_cr_ = 0;
  // The file is one line that has a CR and no newline.
  bool only_cr_ = false;
};

// Refuses records that could not be read back unchanged.
class LinesWriter : public RecordWriter {
 public:
  // `on_terminal`: keys and values are escaped for people to read; the output cannot be loaded
  // then.
  LinesWriter(std::string_view separator, bool hex, bool on_terminal, Output* output)
      : separator_(separator), hex_(hex), on_terminal_(on_terminal), output_(output) {}

  void Begin() override {}
  absl::Status Write(std::string_view key, std::string_view value) override;
  void End() override {}

 private:
  // Whether the line, as the first of a file, would be taken for one in another encoding.
  bool WouldBeginWithMark(std::string_view key, std::string_view value) const;

  const std::string separator_;
  const bool hex_;
  const bool on_terminal_;
  Output* const output_;
  bool first_ = true;  // nothing was written yet
};

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_LINES_FORMAT_H_
