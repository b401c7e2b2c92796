#include "tools/cli/dump_format.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"

#include "core/format/limits.h"
#include "core/options.h"
#include "tools/cli/text_encoding.h"
#include "tools/cli/text_record.h"

namespace rumcask::cli {
namespace {

constexpr size_t kMaxHeaderLineBytes = 4096;
// The size of the pieces that are written.
constexpr size_t kPieceBytes = size_t{16} << 10;

absl::Status EndsWithCr() {
  return absl::InvalidArgumentError(
      "the lines end with CR and LF: some program has converted the dump; undo it with tr -d "
      "'\\r'");
}

// Checks a line of the header.
absl::Status CheckText(std::string_view line, bool first) {
  if (first && BeginsWithMark(line)) {
    return absl::InvalidArgumentError(
        "the file begins with a byte-order mark: some program has converted the dump");
  }
  return !line.empty() && line.back() == '\r' ? EndsWithCr() : absl::OkStatus();
}

bool IsPrintable(char byte) { return byte >= ' ' && byte <= '~'; }

// An unsigned integer of little-endian bytes, as LMDB stores them here.
uint64_t IntegerAt(std::string_view bytes, size_t offset, size_t size) {
  uint64_t integer = 0;
  for (size_t i = size; i > 0; --i) {
    integer = (integer << 8) | static_cast<unsigned char>(bytes[offset + i - 1]);
  }
  return integer;
}

// Whether it can be an MDB_db, with which LMDB describes a named database, where programs have
// values: padding, flags, depth of the tree, three counts of pages, entries, the root's page.
bool DescribesDatabase(std::string_view value) {
  constexpr uint64_t kFlags = 0x7e;
  constexpr uint64_t kNoPage = ~uint64_t{0};
  if (value.size() != 48 || (IntegerAt(value, 4, 2) & ~kFlags) != 0) return false;
  const uint64_t depth = IntegerAt(value, 6, 2);
  const uint64_t branches = IntegerAt(value, 8, 8);
  const uint64_t leaves = IntegerAt(value, 16, 8);
  const uint64_t entries = IntegerAt(value, 32, 8);
  const uint64_t root = IntegerAt(value, 40, 8);
  if (depth == 0) return branches == 0 && leaves == 0 && entries == 0 && root == kNoPage;
  return depth <= 32 && branches < leaves && leaves <= entries && root >= 2 && root != kNoPage;
}

// A page of LMDB is at least half full, counting the large values that have pages of their own;
// inner pages and pages being replaced add less than that. The constant is for small databases.
uint64_t MapBytes(uint64_t content_bytes) {
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  return (content_bytes * 4 / kMiB + 16) * kMiB;
}

}  // namespace

absl::Status DumpDecoder::Append(std::string_view piece) {
  return encoding_ == DumpEncoding::kPrint ? AppendPrint(piece) : AppendByteValue(piece);
}

absl::Status DumpDecoder::Finish() const {
  if (state_ == State::kBetween) return absl::OkStatus();
  if (encoding_ == DumpEncoding::kPrint) return BadEscape();
  return absl::InvalidArgumentError(absl::StrFormat("the %s ends within a byte", what_));
}

absl::Status DumpDecoder::AppendByteValue(std::string_view piece) {
  for (const char digit : piece) {
    absl::Status status = AppendDigit(digit);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status DumpDecoder::AppendPrint(std::string_view piece) {
  while (!piece.empty()) {
    if (state_ == State::kBetween) {
      const std::string_view plain = piece.substr(0, piece.find('\\'));
      if (plain.size() > limit_ - to_->size()) return TooLong();
      to_->append(plain);
      piece.remove_prefix(plain.size());
      if (piece.empty()) break;
      state_ = State::kBackslash;
    } else if (state_ == State::kBackslash && piece[0] == '\\') {
      if (to_->size() == limit_) return TooLong();
      to_->push_back('\\');
      state_ = State::kBetween;
    } else {
      if (HexDigitValue(piece[0]) < 0) return BadEscape();
      absl::Status status = AppendDigit(piece[0]);
      if (!status.ok()) return status;
    }
    piece.remove_prefix(1);
  }
  return absl::OkStatus();
}

absl::Status DumpDecoder::AppendDigit(char digit) {
  const int value = HexDigitValue(digit);
  if (value < 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the %s has a character that is no hexadecimal digit", what_));
  }
  if (state_ != State::kFirstDigit) {
    first_digit_ = value;
    state_ = State::kFirstDigit;
    return absl::OkStatus();
  }
  if (to_->size() == limit_) return TooLong();
  to_->push_back(static_cast<char>(first_digit_ * 16 + value));
  state_ = State::kBetween;
  return absl::OkStatus();
}

absl::Status DumpDecoder::BadEscape() const {
  return absl::InvalidArgumentError(absl::StrFormat(
      "the %s has a backslash without two hexadecimal digits or a backslash after it (mdb_dump -p "
      "before LMDB 0.9.25 writes such; without -p it does not)",
      what_));
}

absl::Status DumpDecoder::TooLong() const {
  return absl::InvalidArgumentError(
      absl::StrFormat("the %s is longer than %d bytes", what_, limit_));
}

absl::Status DumpReader::Begin() {
  std::string line;
  while (lines_->StartLine()) {
    absl::Status status = lines_->ReadRest(kMaxHeaderLineBytes, &line);
    if (status.ok()) status = CheckText(line, lines_->line_number() == 1);
    if (status.ok() && line == "HEADER=END") return EndOfHeader();
    const size_t equals = line.find('=');
    if (status.ok() && lines_->line_number() == 1 && line.substr(0, equals) != "VERSION") {
      status = absl::InvalidArgumentError(
          "this is no db_dump file, which begins with VERSION=3; for lines of a key and a value "
          "give --separator, for CSV --format csv");
    } else if (status.ok() && equals == std::string::npos) {
      status = absl::InvalidArgumentError("the header has a line that is not NAME=VALUE");
    }
    if (!status.ok()) return status;
    status = header_.Take(std::string_view(line).substr(0, equals),
                          std::string_view(line).substr(equals + 1));
    if (!status.ok()) return status;
  }
  if (!lines_->status().ok()) return lines_->status();
  return absl::InvalidArgumentError("the input ends without HEADER=END");
}

absl::Status DumpReader::EndOfHeader() const {
  if (escapes_confirmed_ && header_.encoding() != DumpEncoding::kPrint) {
    return absl::InvalidArgumentError(
        "the dump is format=bytevalue, which has no escapes to confirm; leave out --format print");
  }
  return header_.Check();
}

absl::StatusOr<bool> DumpReader::Next(std::string* key, std::string* value) {
  remedy_ = Remedy::kMend;
  if (!lines_->StartLine()) {
    if (!lines_->status().ok()) return lines_->status();
    return absl::InvalidArgumentError("the input ends without DATA=END: part of it is missing");
  }
  std::string_view piece;
  if (!lines_->NextPiece(&piece) || piece[0] != ' ') {
    absl::Status status = AfterLastRecord(piece);
    if (!status.ok()) return status;
    return false;
  }
  absl::Status status = ReadData("key", kMaxKeyBytes, piece.substr(1), key);
  if (!status.ok()) return status;
  if (key != nullptr && key->empty()) {
    remedy_ = Remedy::kMendOrLeaveOut;
    return absl::InvalidArgumentError("the key is empty");
  }
  if (!lines_->StartLine() || !lines_->NextPiece(&piece) || piece[0] != ' ') {
    if (!lines_->status().ok()) return lines_->status();
    return absl::InvalidArgumentError("the key has no value");
  }
  status = ReadData("value", kMaxValueBytes, piece.substr(1), value);
  if (!status.ok()) return status;
  if (value != nullptr && first_description_ == 0 && header_.is_from_lmdb() &&
      !header_.names_database() && DescribesDatabase(*value)) {
    first_description_ = lines_->line_number();
  }
  return true;
}

std::string DumpReader::Note() const {
  if (first_description_ == 0) return header_.Note();
  return absl::StrFormat(
      "the dump has what looks like LMDB's own descriptions of named databases, in line %d first, "
      "and not the records of these; mdb_dump -l lists their names, and mdb_dump -s NAME dumps one",
      first_description_);
}

absl::Status DumpReader::ReadData(std::string_view what, size_t limit, std::string_view rest,
                                  std::string* to) {
  std::string_view piece = rest;
  if (to == nullptr) {
    while (lines_->NextPiece(&piece)) {
    }
    return EndOfData(what);
  }
  to->clear();
  DumpDecoder decoder(header_.encoding(), what, limit, to);
  const bool doubtful =
      header_.encoding() == DumpEncoding::kPrint && header_.is_from_lmdb() && !escapes_confirmed_;
  // A CR is held back until it is known whether it ends the line.
  bool cr = false;
  absl::Status decoded;
  do {
    if (doubtful && piece.find('\\') != std::string_view::npos) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "the %s has a backslash, and mdb_dump -p before LMDB 0.9.25 did not escape backslashes: "
          "dump again without -p or, if a later one has written this, say --format print",
          what));
    }
    if (cr && !piece.empty()) decoded = decoder.Append("\r");
    cr = piece.empty() ? cr : piece.back() == '\r';
    if (decoded.ok()) decoded = decoder.Append(piece.substr(0, piece.size() - (cr ? 1 : 0)));
  } while (decoded.ok() && lines_->NextPiece(&piece));
  if (decoded.ok()) {
    // Only for a line that was read to its end does it matter whether it ends in the right place.
    absl::Status status = EndOfData(what);
    if (!status.ok()) return status;
    if (cr) return EndsWithCr();
    decoded = decoder.Finish();
  }
  if (!decoded.ok()) remedy_ = Remedy::kMendOrLeaveOut;
  return decoded;
}

absl::Status DumpReader::EndOfData(std::string_view what) {
  if (lines_->status().ok() && lines_->terminated()) return absl::OkStatus();
  if (!lines_->status().ok()) return lines_->status();
  return absl::InvalidArgumentError(absl::StrFormat("the input ends within the %s", what));
}

absl::Status DumpReader::AfterLastRecord(std::string_view first_piece) {
  std::string line(first_piece);
  std::string rest;
  absl::Status status = lines_->ReadRest(kMaxHeaderLineBytes, &rest);
  if (!status.ok()) return status;
  line += rest;
  if (line == "DATA=END\r") return EndsWithCr();
  if (line != "DATA=END") {
    return absl::InvalidArgumentError("neither data, which begins with a space, nor DATA=END");
  }
  return lines_->StartLine() ? AnotherDump() : lines_->status();
}

absl::Status DumpReader::AnotherDump() {
  remedy_ = Remedy::kNone;
  std::string line;
  absl::Status status = lines_->ReadRest(kMaxHeaderLineBytes, &line);
  if (!lines_->status().ok()) return lines_->status();
  if (!status.ok() || line != "VERSION=3") {
    return absl::InvalidArgumentError("something that is no dump follows DATA=END");
  }
  constexpr std::string_view kDatabase = "database=";
  while (line != "HEADER=END" && lines_->StartLine()) {
    status = lines_->ReadRest(kMaxHeaderLineBytes, &line);
    if (!status.ok()) return status;
    if (line.compare(0, kDatabase.size(), kDatabase) != 0) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "another database, '%s', follows, and what a load takes is one: dump each by itself, with "
        "mdb_dump -s NAME or db_dump -s NAME, and load it into a directory of its own",
        line.substr(kDatabase.size())));
  }
  if (!lines_->status().ok()) return lines_->status();
  return absl::InvalidArgumentError(
      "another dump follows, and what a load takes is one: load each by itself");
}

void DumpWriter::Begin() {
  output_->Append(absl::StrFormat("VERSION=3\nformat=%s\ntype=btree\n",
                                  encoding_ == DumpEncoding::kPrint ? "print" : "bytevalue"));
  if (target_ == DumpTarget::kLmdb) {
    output_->Append(absl::StrFormat("mapsize=%d\n", MapBytes(content_bytes_)));
  }
  output_->Append("HEADER=END\n");
}

absl::Status DumpWriter::Write(std::string_view key, std::string_view value) {
  WriteLine(key);
  WriteLine(value);
  return absl::OkStatus();
}

void DumpWriter::End() { output_->Append("DATA=END\n"); }

void DumpWriter::WriteLine(std::string_view bytes) {
  output_->Append(" ");
  std::string text;
  for (size_t begin = 0; begin < bytes.size(); begin += kPieceBytes) {
    text.clear();
    for (const char byte : bytes.substr(begin, kPieceBytes)) {
      if (encoding_ == DumpEncoding::kByteValue) {
        AppendHexByte(static_cast<unsigned char>(byte), &text);
      } else if (IsPrintable(byte) && byte != '\\') {
        text.push_back(byte);
      } else {
        // A backslash is written as its two digits and not doubled, because some readers misread a
        // doubled one.
        text.push_back('\\');
        AppendHexByte(static_cast<unsigned char>(byte), &text);
      }
    }
    output_->Append(text);
  }
  output_->Append("\n");
}

}  // namespace rumcask::cli
