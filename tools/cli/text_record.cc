#include "tools/cli/text_record.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"

#include "core/format/limits.h"
#include "core/options.h"
#include "tools/cli/text_encoding.h"

namespace rumcask::cli {
namespace {

absl::Status DecodeHex(std::string_view what, std::string* text) {
  std::optional<std::string> bytes = FromHex(*text);
  if (!bytes) return absl::InvalidArgumentError(absl::StrFormat("the %s is not hexadecimal", what));
  *text = *std::move(bytes);
  return absl::OkStatus();
}

absl::Status CheckLength(std::string_view what, const std::string& bytes, size_t limit) {
  if (bytes.size() <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat("the %s is longer than %d bytes", what, limit));
}

}  // namespace

bool BeginsWithMark(std::string_view text) {
  return !CheckByteOrderMark(text).ok() || !CheckUtf16(text).ok();
}

absl::Status CheckByteOrderMark(std::string_view line) {
  if (line.substr(0, kByteOrderMark.size()) != kByteOrderMark) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "the file begins with a byte-order mark, which would be part of the first key; leave it out "
      "with: sed '1s/^\\xef\\xbb\\xbf//'");
}

absl::Status CheckUtf16(std::string_view line) {
  if (line.substr(0, 2) != "\xff\xfe" && line.substr(0, 2) != "\xfe\xff") return absl::OkStatus();
  return absl::InvalidArgumentError("the file is UTF-16; convert it with: iconv -t UTF-8");
}

std::string NoteOnLastLine(const LineReader& lines) {
  if (lines.line_number() == 0 || lines.terminated()) return "";
  return "the last line has no newline, so the file may have been cut off";
}

absl::Status DecodeRecord(bool hex, std::string* key, std::string* value) {
  if (key->empty()) return absl::InvalidArgumentError("the key is empty");
  absl::Status status;
  if (hex) {
    status = DecodeHex("key", key);
    if (status.ok()) status = DecodeHex("value", value);
  }
  if (status.ok()) status = CheckLength("key", *key, kMaxKeyBytes);
  if (status.ok()) status = CheckLength("value", *value, kMaxValueBytes);
  return status;
}

}  // namespace rumcask::cli
