// One record per line: key, separator, value.

#ifndef RUMCASK_TOOLS_CLI_LINES_FORMAT_H_
#define RUMCASK_TOOLS_CLI_LINES_FORMAT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "tools/cli/line_reader.h"
#include "tools/cli/output.h"
#include "tools/cli/records.h"

namespace rumcask::cli {

// The separator that the user means by `text`; `\t` is a tab. InvalidArgument if it is empty or
// contains a newline or, with `hex`, a hexadecimal digit.
absl::StatusOr<std::string> ParseSeparator(std::string_view text, bool hex);

// Splits each line at the first separator. The last line may lack its newline.
class LinesReader : public RecordReader {
 public:
  // With `hex`, keys and values are in hexadecimal.
  LinesReader(std::string_view separator, bool hex, LineReader* lines)
      : separator_(separator), hex_(hex), lines_(lines) {}

  absl::Status Begin() override { return absl::OkStatus(); }
  absl::StatusOr<bool> Next(std::string* key, std::string* value) override;
  Remedy remedy() const override { return remedy_; }
  std::string Note() const override;

 private:
  const std::string separator_;
  const bool hex_;
  LineReader* const lines_;
  std::string line_;
  Remedy remedy_ = Remedy::kNone;
  // The number of lines that were decoded and had a newline, and how many of them had a CR before
  // it.
  uint64_t lines_read_ = 0;
  uint64_t lines_with_cr_ = 0;
  uint64_t first_with_cr_ = 0;
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
  const std::string separator_;
  const bool hex_;
  const bool on_terminal_;
  Output* const output_;
};

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_LINES_FORMAT_H_
