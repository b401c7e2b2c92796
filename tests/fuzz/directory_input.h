// Converts a fuzzer's input to the files of a database directory and back.
//
// An input is two bytes of choices and a program whose instructions are: begin a file, append
// bytes, append zeros. So a mutation of one file leaves the others unchanged, and a mostly empty
// segment takes few bytes.

#ifndef RUMCASK_TESTS_FUZZ_DIRECTORY_INPUT_H_
#define RUMCASK_TESTS_FUZZ_DIRECTORY_INPUT_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/options.h"

namespace rumcask {

struct DirectoryInput {
  // Checksums are fixed after mutation, so that the input reaches the code behind them.
  bool fix_checksums = false;
  // The links between segments are fixed, too.
  bool fix_links = false;
  ReadMode read_mode = ReadMode::kMapped;
  AppendMode append_mode = AppendMode::kMapped;
  // Keyed by name.
  std::map<std::string, std::string> files;
};

// Every input is valid. The files have at most kMaxFileBytes together.
DirectoryInput DecodeDirectoryInput(std::string_view bytes);
inline constexpr uint64_t kMaxFileBytes = uint64_t{1} << 20;

// An input that decodes to `input`. Files whose names cannot be encoded are left out.
std::string EncodeDirectoryInput(const DirectoryInput& input);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_FUZZ_DIRECTORY_INPUT_H_
