// "Did you mean ...?"

#ifndef RUMCASK_TOOLS_CLI_SUGGESTION_H_
#define RUMCASK_TOOLS_CLI_SUGGESTION_H_

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace rumcask::cli {

// The number of single characters that must be inserted, removed, replaced or swapped with their
// neighbour to turn one word into the other.
size_t EditDistance(std::string_view a, std::string_view b);

// The candidate that the user most likely meant by `word`: one that `word` abbreviates, or one that
// is similar enough.
std::optional<std::string_view> MostSimilar(std::string_view word,
                                            const std::vector<std::string_view>& candidates);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_SUGGESTION_H_
