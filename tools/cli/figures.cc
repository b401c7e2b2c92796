#include "tools/cli/figures.h"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace rumcask::cli {

std::string FormatCount(uint64_t count) {
  std::string text = absl::StrCat(count);
  for (size_t from_right = 3; from_right < text.size(); from_right += 4) {
    text.insert(text.size() - from_right, 1, ',');
  }
  return text;
}

std::string FormatCount(uint64_t count, std::string_view noun) {
  return absl::StrFormat("%s %s%s", FormatCount(count), noun, count == 1 ? "" : "s");
}

std::string FormatBytes(uint64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  size_t unit = 0;
  double amount = static_cast<double>(bytes) / 1024;
  // An amount that would be printed as 1024.0 is printed as 1.0 of the next unit.
  while (amount >= 1023.95 && unit + 1 < std::size(kUnits)) {
    amount /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", amount, kUnits[unit]);
}

std::string FormatShare(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  return absl::StrFormat("%.1f %%", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string FormatSeconds(uint64_t seconds) {
  const uint64_t minutes = seconds / 60;
  if (minutes < 60) return absl::StrFormat("%d:%02d", minutes, seconds % 60);
  return absl::StrFormat("%d:%02d:%02d", minutes / 60, minutes % 60, seconds % 60);
}

}  // namespace rumcask::cli
