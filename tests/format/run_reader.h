// Runs reader.py, the second reader, as a subprocess.

#ifndef RUMCASK_TESTS_FORMAT_RUN_READER_H_
#define RUMCASK_TESTS_FORMAT_RUN_READER_H_

#include <map>
#include <string>

namespace rumcask {

struct ReaderResult {
  int exit_code = 0;
  std::map<std::string, std::string> content;
  std::string messages;
};

// Whether this machine has what the reader needs, which is Debian's python3-xxhash.
bool ReaderAvailable();

// Reads the database in `directory`. Scratch files are made beside it.
ReaderResult RunReader(const std::string& directory);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_FORMAT_RUN_READER_H_
