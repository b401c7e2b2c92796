// What this process has open and mapped.

#ifndef RUMCASK_TESTS_LIMITS_OPEN_FILES_H_
#define RUMCASK_TESTS_LIMITS_OPEN_FILES_H_

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"

namespace rumcask {

// What each descriptor leads to.
inline std::vector<std::string> OpenFiles() {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    files.push_back(std::filesystem::read_symlink(entry.path(), error).string());
  }
  return files;
}

// The line of each mapping, which ends with the file's path.
inline std::vector<std::string> Mappings() {
  std::vector<std::string> mappings;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) mappings.push_back(line);
  return mappings;
}

inline size_t CountThatEndWith(const std::vector<std::string>& lines, const std::string& end) {
  size_t count = 0;
  for (const std::string& line : lines) count += absl::EndsWith(line, end);
  return count;
}

// The number of open descriptors of segments, and of mappings of them.
inline size_t SegmentDescriptors() { return CountThatEndWith(OpenFiles(), ".seg"); }
inline size_t SegmentMappings() { return CountThatEndWith(Mappings(), ".seg"); }

}  // namespace rumcask

#endif  // RUMCASK_TESTS_LIMITS_OPEN_FILES_H_
