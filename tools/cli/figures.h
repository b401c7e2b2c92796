// Formats numbers for people.

#ifndef RUMCASK_TOOLS_CLI_FIGURES_H_
#define RUMCASK_TOOLS_CLI_FIGURES_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace rumcask::cli {

// "34,924"
std::string FormatCount(uint64_t count);

// "1 segment", "2,000 segments"
std::string FormatCount(uint64_t count, std::string_view noun);

// "512 B", "1.4 MiB"
std::string FormatBytes(uint64_t bytes);

// "12.5 %"; "-" if `whole` is 0.
std::string FormatShare(uint64_t part, uint64_t whole);

// "0:07", "1:02:33"
std::string FormatSeconds(uint64_t seconds);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_FIGURES_H_
