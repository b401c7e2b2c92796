#include "tools/cli/lines_format.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"

#include "core/format/limits.h"
#include "core/options.h"
#include "tools/cli/printable.h"
#include "tools/cli/text_encoding.h"
#include "tools/cli/text_record.h"

namespace rumcask::cli {
namespace {

std::string WithTabs(std::string_view text) {
  return absl::StrReplaceAll(absl::string_view(text.data(), text.size()), {{"\\t", "\t"}});
}

}  // namespace

absl::StatusOr<std::string> ParseSeparator(std::string_view text, bool hex) {
  std::string separator = WithTabs(text);
  if (separator.empty()) return absl::InvalidArgumentError("the separator is empty");
  if (separator.find('\n') != std::string::npos) {
    return absl::InvalidArgumentError("the separator has a newline");
  }
  for (const char byte : separator) {
    if (hex && HexDigitValue(byte) >= 0) {
      return absl::InvalidArgumentError("with --hex the separator can't have hexadecimal digits");
    }
  }
  return separator;
}

absl::StatusOr<std::string> ParseComment(std::string_view text) {
  if (text.empty()) return absl::InvalidArgumentError("the text that begins comments is empty");
  if (text.find('\n') != std::string_view::npos) {
    return absl::InvalidArgumentError("the text that begins comments has a newline");
  }
  return WithTabs(text);
}

bool LinesReader::IsRecord() {
  if (line_.empty() || line_ == "\r") return false;
  const std::string& comment = options_.comment;
  if (!comment.empty() && line_.compare(0, comment.size(), comment) == 0) {
    ++comments_;
    return false;
  }
  const bool is_header = options_.header && !header_passed_;
  if (is_header) header_ = line_;
  header_passed_ = true;
  return !is_header;
}

absl::StatusOr<bool> LinesReader::NextLine(bool whole) {
  constexpr size_t kLongest = kMaxKeyBytes + kMaxValueBytes;
  const size_t limit = (options_.hex ? 2 : 1) * kLongest + options_.separator.size();
  const size_t beginning = std::max(options_.comment.size(), size_t{2});
  while (lines_->StartLine()) {
    whole_ = false;
    line_.clear();
    // The whole of the header is wanted.
    if (whole || (options_.header && !header_passed_)) {
      absl::Status status = lines_->ReadRest(limit, &line_);
      if (absl::IsInvalidArgument(status)) remedy_ = Remedy::kMendOrLeaveOut;
      if (!status.ok()) return status;
      whole_ = true;
    } else {
      std::string_view piece;
      while (line_.size() < beginning && lines_->NextPiece(&piece)) line_.append(piece);
    }
    if (lines_->line_number() == 1) {
      absl::Status status = CheckUtf16(line_);
      if (!status.ok()) return status;
      // The mark is no part of the header, nor of the comment or blank line before it.
      if (options_.header && !CheckByteOrderMark(line_).ok()) line_.erase(0, kByteOrderMark.size());
    }
    if (IsRecord()) return true;
  }
  if (!lines_->status().ok()) return lines_->status();
  return false;
}

absl::StatusOr<bool> LinesReader::Next(std::string* key, std::string* value) {
  remedy_ = Remedy::kMend;
  const absl::StatusOr<bool> found = NextLine(/*whole=*/key != nullptr);
  if (key == nullptr || !found.ok() || !*found) return found;
  if (lines_->line_number() == 1) {
    absl::Status status = CheckByteOrderMark(line_);
    if (!status.ok()) return status;
  }
  remedy_ = Remedy::kMendOrLeaveOut;
  const bool ends_with_cr = line_.back() == '\r';
  if (options_.hex && ends_with_cr) {
    return absl::InvalidArgumentError(
        "the line ends with CR and LF, and CR is no hexadecimal digit; load what tr -d '\\r' makes "
        "of the file");
  }
  only_cr_ =
      lines_->line_number() == 1 && !lines_->terminated() && line_.find('\r') != std::string::npos;
  if (lines_->terminated() && line_.find(options_.separator) != std::string::npos) {
    ++lines_read_;
    if (ends_with_cr && ++lines_with_cr_ == 1) first_with_cr_ = lines_->line_number();
  }
  absl::Status status = Split(key, value);
  if (!status.ok()) return status;
  return true;
}

absl::Status LinesReader::Split(std::string* key, std::string* value) const {
  const size_t at = line_.find(options_.separator);
  if (at == std::string::npos && !options_.bare_keys) {
    return absl::InvalidArgumentError("the line has no separator");
  }
  key->assign(line_, 0, at);
  if (at == std::string::npos) {
    value->clear();
    // It is no part of a value here.
    if (key->back() == '\r') key->pop_back();
  } else {
    value->assign(line_, at + options_.separator.size());
  }
  return DecodeRecord(options_.hex, key, value);
}

std::string LinesReader::NoteAtEnd() const { return only_cr_ ? "" : NoteOnLastLine(*lines_); }

std::string LinesReader::Note() const {
  if (only_cr_) {
    return "the file has CR and no LF, so that it is one line; if CR ends its lines, load what tr "
           "'\\r' '\\n' makes of it";
  }
  if (lines_with_cr_ == 0) return "";
  return absl::StrCat(
      lines_with_cr_ == lines_read_
          ? "the lines end with CR and LF, and the CR becomes part of each value"
          : absl::StrFormat("some lines end with CR and LF, line %d first, and the CR becomes part "
                            "of their values",
                            first_with_cr_),
      "; to leave it out, load what tr -d '\\r' makes of the file");
}

bool LinesWriter::WouldBeginWithMark(std::string_view key, std::string_view value) const {
  // The mark may reach into the value if key and separator are short.
  std::string line(key.substr(0, kByteOrderMark.size()));
  line.append(separator_).append(value.substr(0, kByteOrderMark.size()));
  return BeginsWithMark(line);
}

absl::Status LinesWriter::Write(std::string_view key, std::string_view value) {
  if (hex_) {
    output_->Append(ToHex(key));
    output_->Append(separator_);
    output_->Append(ToHex(value));
    output_->Append("\n");
    return absl::OkStatus();
  }
  if (key.find('\n') != std::string_view::npos) {
    return absl::InvalidArgumentError("a key has a newline");
  }
  // Also refuses a key whose end together with the separator contains an earlier separator.
  if ((std::string(key) + separator_).find(separator_) != key.size()) {
    return absl::InvalidArgumentError("a key has the separator in it");
  }
  if (value.find('\n') != std::string_view::npos) {
    return absl::InvalidArgumentError("a value has a newline");
  }
  if (first_ && WouldBeginWithMark(key, value)) {
    return absl::InvalidArgumentError("the first line would begin with a byte-order mark");
  }
  first_ = false;
  if (on_terminal_) {
    output_->Append(Printable(key, Escaping::kBackslash));
    output_->Append(Printable(separator_, Escaping::kLines));
    output_->Append(Printable(value, Escaping::kBackslash));
  } else {
    output_->Append(key);
    output_->Append(separator_);
    output_->Append(value);
  }
  output_->Append("\n");
  return absl::OkStatus();
}

}  // namespace rumcask::cli
