// What the tests of formats share: files, what a reader reads, and records of all kinds.

#ifndef RUMCASK_TOOLS_CLI_READING_H_
#define RUMCASK_TOOLS_CLI_READING_H_

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"

#include "core/format/limits.h"
#include "core/options.h"
#include "tools/cli/line_reader.h"
#include "tools/cli/output.h"
#include "tools/cli/records.h"

namespace rumcask::cli {

using Records = std::vector<std::pair<std::string, std::string>>;

// A file that is removed at the end of the test.
class TemporaryFile {
 public:
  TemporaryFile() : file_(std::tmpfile()) {}
  explicit TemporaryFile(std::string_view content) : TemporaryFile() {
    Output output(fd(), "file");
    output.Append(content);
    EXPECT_TRUE(output.Flush().ok());
    Rewind();
  }
  ~TemporaryFile() { std::fclose(file_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  int fd() const { return ::fileno(file_); }
  void Rewind() const { ::lseek(fd(), 0, SEEK_SET); }
  std::string Content() const {
    std::string content;
    char byte;
    Rewind();
    while (::read(fd(), &byte, 1) == 1) content.push_back(byte);
    return content;
  }

 private:
  std::FILE* const file_;
};

// What a reader reads, and the status with which it ends.
struct Reading {
  Records records;
  absl::Status status;
  uint64_t line_number = 0;

  std::string message() const { return std::string(status.message()); }
};

inline Reading ReadAll(RecordReader* reader, const LineReader& lines) {
  Reading reading;
  reading.status = reader->Begin();
  std::string key;
  std::string value;
  while (reading.status.ok()) {
    const absl::StatusOr<bool> more = reader->Next(&key, &value);
    reading.status = more.status();
    if (!more.ok() || !*more) break;
    reading.records.emplace_back(key, value);
  }
  reading.line_number = lines.line_number();
  return reading;
}

// Records with every byte value, and with lengths around those of buffers.
inline Records AnyRecords() {
  Records records;
  std::mt19937_64 random(1);
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  records.emplace_back(all, all);
  records.emplace_back("empty", "");
  for (const size_t length : {1, 2, 16383, 16384, 16385, 65535, 65536, 65537, 1'000'000}) {
    std::string bytes(length, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    records.emplace_back(bytes.substr(0, kMaxKeyBytes), bytes);
    records.emplace_back(std::string(std::min(length, kMaxKeyBytes), '\\'),
                         std::string(length, '\\'));
  }
  return records;
}

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_READING_H_
