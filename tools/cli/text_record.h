// A key and a value in a file of text, whichever way they are told apart there.

#ifndef RUMCASK_TOOLS_CLI_TEXT_RECORD_H_
#define RUMCASK_TOOLS_CLI_TEXT_RECORD_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

#include "tools/cli/line_reader.h"

namespace rumcask::cli {

// The byte-order mark of UTF-8.
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Whether it begins with a byte-order mark, be it that of UTF-8 or of UTF-16.
bool BeginsWithMark(std::string_view text);

// InvalidArgument if the first line of a file begins with a byte-order mark, which would silently
// become part of the first key.
absl::Status CheckByteOrderMark(std::string_view line);
// InvalidArgument if it is UTF-16.
absl::Status CheckUtf16(std::string_view line);

// A remark if the file, which was read to its end, ends within a line, as one may that was cut off.
// Otherwise empty.
std::string NoteOnLastLine(const LineReader& lines);

// Decodes both from hexadecimal if `hex`. InvalidArgument if they are not that, or no record can
// have them because of their lengths.
absl::Status DecodeRecord(bool hex, std::string* key, std::string* value);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_TEXT_RECORD_H_
