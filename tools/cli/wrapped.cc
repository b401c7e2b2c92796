#include "tools/cli/wrapped.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace rumcask::cli {

size_t Width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string Wrapped(std::string_view line, size_t indent) {
  std::string text;
  std::string current;
  // First the indentation that the line has already, then one word at a time.
  const size_t first = std::min(line.find_first_not_of(' '), line.size());
  for (size_t begin = first; begin < line.size();) {
    // Columns within a line are kept: the spaces count as part of the word that follows.
    const size_t end = std::min(line.find(' ', line.find_first_not_of(' ', begin)), line.size());
    const std::string_view word =
        line.substr(begin == first ? 0 : begin, end - (begin == first ? 0 : begin));
    if (current.empty() || Width(current) + Width(word) <= kColumns) {
      current.append(word);
    } else {
      text += current + "\n";
      current.assign(indent, ' ');
      current.append(word.substr(std::min(word.find_first_not_of(' '), word.size())));
    }
    begin = end;
  }
  return text + current;
}

}  // namespace rumcask::cli
