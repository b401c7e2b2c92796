#include "tools/cli/csv_format.h"

#include <csv.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "core/format/limits.h"
#include "core/options.h"
#include "tools/cli/figures.h"
#include "tools/cli/lines_format.h"
#include "tools/cli/printable.h"
#include "tools/cli/text_encoding.h"
#include "tools/cli/text_record.h"

namespace rumcask::cli {
namespace {

// A quote that is not closed would otherwise take the whole file into memory. As many bytes hold
// the largest key and value, each of them all quotes.
constexpr size_t kMaxRecordBytes = 2 * (kMaxKeyBytes + kMaxValueBytes) + 16;
// By which the parser's buffer grows.
constexpr size_t kBlockBytes = size_t{64} << 10;

// By default libcsv leaves out spaces around fields, which RFC 4180 counts as parts of them.
int NothingIsSpace(unsigned char /*byte*/) { return 0; }

}  // namespace

absl::StatusOr<char> ParseCsvSeparator(std::string_view text, bool hex) {
  absl::StatusOr<std::string> separator = ParseSeparator(text, hex);
  if (!separator.ok()) return separator.status();
  if (separator->size() == 1 && *separator != "\"" && *separator != "\r") return separator->front();
  return absl::InvalidArgumentError("the separator of CSV is one byte, and neither a quote nor CR");
}

absl::StatusOr<CsvColumn> ParseCsvColumn(std::string_view text) {
  CsvColumn column;
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) {
    column.name = std::string(text);
    return column;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), column.number);
  if (error == std::errc() && column.number > 0) return column;
  return absl::InvalidArgumentError(
      absl::StrFormat("'%s' is no column; the first has the number 1", text));
}

CsvReader::CsvReader(CsvOptions options, LineReader* lines)
    : options_(std::move(options)),
      lines_(lines),
      parser_(std::make_unique<csv_parser>()),
      columns_(options_.key || options_.value ? 0 : 2) {
  csv_init(parser_.get(), CSV_STRICT);
  csv_set_delim(parser_.get(), static_cast<unsigned char>(options_.separator));
  csv_set_space_func(parser_.get(), NothingIsSpace);
  csv_set_blk_size(parser_.get(), kBlockBytes);
}

CsvReader::~CsvReader() { csv_free(parser_.get()); }

void CsvReader::TakeField(void* bytes, size_t size, void* reader) {
  static_cast<CsvReader*>(reader)->Take({static_cast<const char*>(bytes), size});
}

// A line may have so many fields that a string for each would take many times its size.
void CsvReader::Take(std::string_view field) {
  if (in_header_) names_.emplace_back(field);
  if (columns_in_record_ == key_index_) key_.assign(field);
  if (columns_in_record_ == value_index_) value_.assign(field);
  ++columns_in_record_;
}

absl::Status CsvReader::Begin() {
  bool has_header = false;
  if (options_.header) {
    in_header_ = true;
    const absl::StatusOr<bool> found = ReadRecord();
    in_header_ = false;
    remedy_ = Remedy::kMend;
    if (!found.ok()) return found.status();
    has_header = *found;
    header_ = record_;
    if (!CheckByteOrderMark(header_).ok()) header_.erase(0, kByteOrderMark.size());
  }
  absl::Status status = FindColumns();
  names_ = std::vector<std::string>();
  return status.ok() && has_header ? CheckColumns() : status;
}

absl::Status CsvReader::FindColumns() {
  absl::Status status;
  if (options_.key) status = FindColumn(*options_.key, &key_index_);
  if (status.ok() && options_.value) status = FindColumn(*options_.value, &value_index_);
  // One that nobody has asked for would silently take the place of the column that was meant.
  if (status.ok() && key_index_ == value_index_ && !(options_.key && options_.value)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("column %d is the key and the value; give --%s-column as well",
                        key_index_ + 1, options_.key ? "value" : "key"));
  }
  return status;
}

absl::Status CsvReader::FindColumn(const CsvColumn& column, size_t* index) const {
  if (column.number > 0) {
    *index = column.number - 1;
    return absl::OkStatus();
  }
  const auto found = std::find(names_.begin(), names_.end(), column.name);
  if (found == names_.end()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the header has no column '%s'", column.name));
  }
  if (std::find(found + 1, names_.end(), column.name) != names_.end()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the header has several columns '%s'; give the number", column.name));
  }
  *index = static_cast<size_t>(found - names_.begin());
  return absl::OkStatus();
}

absl::StatusOr<bool> CsvReader::Next(std::string* key, std::string* value) {
  const absl::StatusOr<bool> found = ReadRecord();
  if (key == nullptr && absl::IsInvalidArgument(found.status()) &&
      remedy_ == Remedy::kMendOrLeaveOut) {
    return true;
  }
  if (!found.ok() || !*found) return found;
  remedy_ = Remedy::kMendOrLeaveOut;
  // Also of a record that is skipped, as it may be the first.
  absl::Status status = CheckColumns();
  if (key == nullptr) return true;
  if (!status.ok()) return status;
  key->swap(key_);
  value->swap(value_);
  status = DecodeRecord(options_.hex, key, value);
  if (!status.ok()) return status;
  return true;
}

absl::StatusOr<bool> CsvReader::ReadRecord() {
  remedy_ = Remedy::kMend;
  // Brings the parser to its beginning, wherever the record before has left it.
  csv_fini(parser_.get(), nullptr, nullptr, nullptr);
  columns_in_record_ = 0;
  record_.clear();
  lines_in_record_ = 0;
  while (lines_->StartLine()) {
    if (lines_in_record_ == 0) first_line_ = lines_->line_number();
    const absl::StatusOr<std::string_view> line = ReadLine();
    if (!line.ok()) return line.status();
    if (lines_in_record_ == 0 && (line->empty() || *line == "\r")) {
      record_.clear();
      continue;
    }
    ++lines_in_record_;
    absl::Status status = ParseLine(*line);
    if (absl::IsInvalidArgument(status)) remedy_ = Remedy::kMendOrLeaveOut;
    if (!status.ok()) return status;
    if (parser_->quoted == 0) return true;
  }
  if (!lines_->status().ok()) return lines_->status();
  if (lines_in_record_ == 0) return false;
  // It may be the rest of the file that is within quotes, so it is not left out as one record.
  return absl::InvalidArgumentError(absl::StrCat("the input ends within quotes", WhereItBegins()));
}

absl::StatusOr<std::string_view> CsvReader::ReadLine() {
  if (lines_in_record_ > 0) record_.push_back('\n');
  const size_t begin = record_.size();
  std::string_view piece;
  do {
    if (record_.size() + piece.size() > kMaxRecordBytes) {
      return absl::InvalidArgumentError(absl::StrFormat("the record is longer than %d bytes%s",
                                                        kMaxRecordBytes, WhereItBegins()));
    }
    record_.append(piece);
  } while (lines_->NextPiece(&piece));
  if (!lines_->status().ok()) return lines_->status();
  std::string_view line = std::string_view(record_).substr(begin);
  if (lines_->line_number() > 1) return line;
  absl::Status status = CheckUtf16(line);
  if (!status.ok()) return status;
  status = CheckByteOrderMark(line);
  // The mark is no part of the name of a column.
  if (options_.header && !status.ok()) return line.substr(kByteOrderMark.size());
  if (!status.ok()) return status;
  return line;
}

absl::Status CsvReader::ParseLine(std::string_view line) {
  std::string_view rest = line;
  while (!rest.empty()) {
    // libcsv takes a CR for the end of a record, whatever follows it.
    const std::string_view piece = rest.substr(0, std::min(rest.find('\r'), rest.size() - 1) + 1);
    rest.remove_prefix(piece.size());
    absl::Status status = Feed(piece);
    if (!status.ok()) return status;
    if (piece.back() == '\r' && !rest.empty() && parser_->quoted == 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the line has a CR that is neither in quotes nor at its end", WhereItBegins()));
    }
  }
  return Feed("\n");
}

absl::Status CsvReader::Feed(std::string_view bytes) {
  if (csv_parse(parser_.get(), bytes.data(), bytes.size(), TakeField, nullptr, this) ==
      bytes.size()) {
    return absl::OkStatus();
  }
  if (csv_error(parser_.get()) != CSV_EPARSE) {
    return absl::ResourceExhaustedError(csv_strerror(csv_error(parser_.get())));
  }
  return absl::InvalidArgumentError(
      absl::StrCat(parser_->quoted == 0 ? "a field has a quote and does not begin with one"
                                        : "something follows the quote that ends a field",
                   "; a field with quotes in it is put in quotes, and those in it are doubled",
                   WhereItBegins()));
}

absl::Status CsvReader::CheckColumns() {
  const size_t last = std::max(key_index_, value_index_) + 1;
  if (columns_ == 0 && columns_in_record_ < last) {
    return absl::InvalidArgumentError(absl::StrFormat("the record has %s, and no column %d%s",
                                                      FormatCount(columns_in_record_, "column"),
                                                      last, WhereItBegins()));
  }
  if (columns_ == 0) columns_ = columns_in_record_;
  if (columns_in_record_ == columns_) return absl::OkStatus();
  const bool chosen = options_.key || options_.value;
  return absl::InvalidArgumentError(absl::StrCat(
      "the record has ", FormatCount(columns_in_record_, "column"),
      chosen ? absl::StrFormat(", and the first one has %d", columns_)
             : ", not a key and a value; --key-column and --value-column choose from several",
      WhereItBegins()));
}

std::string CsvReader::NoteAtEnd() const { return NoteOnLastLine(*lines_); }

std::string CsvReader::WhereItBegins() const {
  if (lines_->line_number() == first_line_) return "";
  return absl::StrFormat("; the record begins in line %d", first_line_);
}

absl::Status CsvWriter::Write(std::string_view key, std::string_view value) {
  WriteField(key);
  output_->Append({&separator_, 1});
  WriteField(value);
  output_->Append("\n");
  return absl::OkStatus();
}

void CsvWriter::WriteField(std::string_view bytes) {
  if (hex_) {
    WriteQuoted(ToHex(bytes));
  } else if (on_terminal_) {
    WriteQuoted(Printable(bytes, Escaping::kBackslash));
  } else {
    WriteQuoted(bytes);
  }
}

void CsvWriter::WriteQuoted(std::string_view text) {
  // libcsv writes nothing, not even quotes, of what has no address.
  const char* const bytes = text.empty() ? "" : text.data();
  quoted_.resize(csv_write(nullptr, 0, bytes, text.size()));
  csv_write(quoted_.data(), quoted_.size(), bytes, text.size());
  output_->Append(quoted_);
}

}  // namespace rumcask::cli
