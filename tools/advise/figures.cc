#include "tools/advise/figures.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/str_format.h"

#include "tools/cli/figures.h"

namespace rumcask::advise {

std::string SecondsText(double seconds) {
  if (seconds >= 1 || seconds == 0) return absl::StrFormat("%.1f s", seconds);
  if (seconds >= 10e-3) return absl::StrFormat("%.0f ms", seconds * 1e3);
  if (seconds >= 1e-3) return absl::StrFormat("%.1f ms", seconds * 1e3);
  return absl::StrFormat("%.2f us", seconds * 1e6);
}

std::string ShareText(double share) {
  const double percent = 100 * share;
  std::string text = absl::StrFormat("%.*f", percent >= 1 ? 1 : 3, percent);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + " %";
}

std::string BytesText(double bytes) {
  constexpr double kMost = 9e18;
  return cli::FormatBytes(static_cast<uint64_t>(std::clamp(bytes, 0.0, kMost)));
}

}  // namespace rumcask::advise
