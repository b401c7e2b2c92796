// A fuzzer's input as the files of a database directory, and the other way round.
//
// An input is two bytes of choices and a program: begin a file, append bytes, append zeros. So a
// mutation of one file leaves the others as they were, and a mostly empty segment takes few bytes.

#ifndef RUMCASK_TESTS_FUZZ_DIRECTORY_INPUT_H_
#define RUMCASK_TESTS_FUZZ_DIRECTORY_INPUT_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/options.h"

namespace rumcask {

struct DirectoryInput {
  // Checksums are mended after mutation, so that it is the code behind them that sees it.
  bool fix_checksums = false;
  // Segments are linked to each other, too.
  bool fix_links = false;
  ReadMode read_mode = ReadMode::kMapped;
  AppendMode append_mode = AppendMode::kMapped;
  // By name.
  std::map<std::string, std::string> files;
};

// Any bytes mean something. Files have at most kMaxFileBytes together.
DirectoryInput DecodeDirectoryInput(std::string_view bytes);
inline constexpr uint64_t kMaxFileBytes = uint64_t{1} << 20;

// Bytes that mean `input`; files whose names no input can mean are left out.
std::string EncodeDirectoryInput(const DirectoryInput& input);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_FUZZ_DIRECTORY_INPUT_H_
