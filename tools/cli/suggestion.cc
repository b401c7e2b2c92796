#include "tools/cli/suggestion.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace rumcask::cli {

size_t EditDistance(std::string_view a, std::string_view b) {
  // table[i][j] is the distance between the first i characters of a and the first j of b.
  std::vector<std::vector<size_t>> table(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        table[i][j] = i + j;
        continue;
      }
      table[i][j] = std::min({table[i - 1][j] + 1, table[i][j - 1] + 1,
                              table[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        table[i][j] = std::min(table[i][j], table[i - 2][j - 2] + 1);
      }
    }
  }
  return table[a.size()][b.size()];
}

namespace {

// The only candidate that begins with `word`, ignoring leading dashes of both. With `whole_words`,
// `word` must be followed by a dash or an underscore.
std::optional<std::string_view> OnlyContinuation(std::string_view word,
                                                 const std::vector<std::string_view>& candidates,
                                                 bool whole_words) {
  const auto bare = [](std::string_view text) {
    return text.substr(std::min(text.find_first_not_of('-'), text.size()));
  };
  const std::string_view begin = bare(word);
  std::optional<std::string_view> only;
  for (const std::string_view candidate : candidates) {
    const std::string_view text = bare(candidate);
    if (begin.empty() || text.size() <= begin.size() || text.substr(0, begin.size()) != begin) {
      continue;
    }
    const char next = text[begin.size()];
    if (whole_words && next != '-' && next != '_') continue;
    if (only) return std::nullopt;
    only = candidate;
  }
  return only;
}

}  // namespace

std::optional<std::string_view> MostSimilar(std::string_view word,
                                            const std::vector<std::string_view>& candidates) {
  constexpr size_t kLongest = 32;  // the table above grows with the square of the length
  if (word.size() > kLongest) return std::nullopt;
  std::optional<std::string_view> best = OnlyContinuation(word, candidates, /*whole_words=*/true);
  if (best) return best;
  size_t best_distance = 0;
  for (const std::string_view candidate : candidates) {
    const size_t distance = EditDistance(word, candidate);
    // If half of the letters are wrong, it is not a typing error.
    if (distance > 2 || distance * 2 > candidate.size()) continue;
    if (!best || distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best ? best : OnlyContinuation(word, candidates, /*whole_words=*/false);
}

}  // namespace rumcask::cli
