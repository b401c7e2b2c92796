#include "tests/format/run_reader.h"

#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

namespace rumcask {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

}  // namespace

bool ReaderAvailable() {
  return std::system("/usr/bin/python3 -c 'import xxhash' >/dev/null 2>&1") == 0;
}

ReaderResult RunReader(const std::string& directory) {
  const std::string out = directory + ".out";
  const std::string err = directory + ".err";
  const int status = std::system(
      ("/usr/bin/python3 tests/format/reader.py '" + directory + "' >'" + out + "' 2>'" + err + "'")
          .c_str());
  ReaderResult result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  std::istringstream lines(ReadFile(out));
  for (std::string line; std::getline(lines, line);) {
    const size_t space = line.find(' ');
    result.content[FromHex(line.substr(0, space))] = FromHex(line.substr(space + 1));
  }
  result.messages = ReadFile(err);
  return result;
}

}  // namespace rumcask
