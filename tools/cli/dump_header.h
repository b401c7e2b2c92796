// The header of a dump: what is said between VERSION=3 and HEADER=END.

#ifndef RUMCASK_TOOLS_CLI_DUMP_HEADER_H_
#define RUMCASK_TOOLS_CLI_DUMP_HEADER_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace rumcask::cli {

enum class DumpEncoding { kByteValue, kPrint };

class DumpHeader {
 public:
  // Takes a line of NAME=VALUE. InvalidArgument if a dump that says this cannot be loaded without
  // loss.
  absl::Status Take(std::string_view name, std::string_view value);
  // To be called at HEADER=END. The same for what several lines say together.
  absl::Status Check() const;

  DumpEncoding encoding() const { return encoding_; }
  // Whether LMDB's mdb_dump wrote it.
  bool is_from_lmdb() const { return has_maxreaders_; }
  // Whether the dump is of one of several databases in a file.
  bool names_database() const { return names_database_; }
  // In which way keys have another order here than where they come from, and what helps; empty if
  // they do not.
  std::string Note() const;

 private:
  bool KeysAreRecordNumbers() const { return type_ == "recno" || type_ == "queue"; }

  DumpEncoding encoding_ = DumpEncoding::kByteValue;
  std::string type_ = "btree";
  bool has_keys_ = false;  // it says keys=1
  bool has_maxreaders_ = false;
  bool names_database_ = false;
  bool has_integer_keys_ = false;
  bool has_reversed_keys_ = false;
};

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_DUMP_HEADER_H_
