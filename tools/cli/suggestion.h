// "Did you mean ...?"

#ifndef RUMCASK_TOOLS_CLI_SUGGESTION_H_
#define RUMCASK_TOOLS_CLI_SUGGESTION_H_

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace rumcask::cli {

// How many single characters must be inserted, removed, replaced or swapped with their neighbour to
// turn one into the other.
size_t EditDistance(std::string_view a, std::string_view b);

// The candidate that `word` was most likely meant to be: one that it abbreviates, or one that is
// close enough.
std::optional<std::string_view> MostSimilar(std::string_view word,
                                            const std::vector<std::string_view>& candidates);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_SUGGESTION_H_
