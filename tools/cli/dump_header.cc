#include "tools/cli/dump_header.h"

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"

namespace rumcask::cli {

absl::Status DumpHeader::Take(std::string_view name, std::string_view value) {
  // Other names describe the database that was dumped.
  if (name == "VERSION" && value != "3") {
    return absl::InvalidArgumentError(
        absl::StrFormat("version %s of the db_dump format is not known", value));
  }
  if (name == "format") {
    if (value != "bytevalue" && value != "print") {
      return absl::InvalidArgumentError(absl::StrFormat("format %s is not known", value));
    }
    encoding_ = value == "print" ? DumpEncoding::kPrint : DumpEncoding::kByteValue;
  }
  if (name == "type") {
    type_ = std::string(value);
    if (value != "btree" && value != "hash" && !KeysAreRecordNumbers()) {
      return absl::InvalidArgumentError(absl::StrFormat("type %s has no keys and values", value));
    }
  }
  // Only LMDB's mdb_dump writes this line.
  if (name == "maxreaders") has_maxreaders_ = true;
  if (name == "database") names_database_ = true;
  if (name == "keys" && value == "0") {
    return absl::InvalidArgumentError("the dump was made without keys");
  }
  const bool set = value == "1";
  if (name == "keys" && set) has_keys_ = true;
  if (name == "integerkey" && set) has_integer_keys_ = true;
  if (name == "reversekey" && set) has_reversed_keys_ = true;
  if ((name == "duplicates" || name == "dupsort") && set) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the dump says %s=1: a key may have several values there, of which rumcask would keep one; "
        "give each value a key of its own, and load lines of them with --separator",
        name));
  }
  return absl::OkStatus();
}

absl::Status DumpHeader::Check() const {
  if (!KeysAreRecordNumbers() || has_keys_) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "the dump says type=%s, and such a database has no keys but numbers of records, which are "
      "not in the dump; db_dump -k puts them in",
      type_));
}

std::string DumpHeader::Note() const {
  if (has_integer_keys_) {
    return "the dump says integerkey=1: its keys are integers in the byte order of the machine, "
           "which are loaded as the bytes they are; a keystore with an order has them in that of "
           "numbers only if the most significant byte of each is made the first before";
  }
  if (has_reversed_keys_) {
    return "the dump says reversekey=1: its keys are ordered from their last byte to the first, "
           "and a keystore with an order has them from the first to the last";
  }
  if (KeysAreRecordNumbers()) {
    return absl::StrFormat(
        "the dump says type=%s: its keys are numbers of records in decimal digits, which a "
        "keystore with an order has in that of text, 10 before 2",
        type_);
  }
  return "";
}

}  // namespace rumcask::cli
