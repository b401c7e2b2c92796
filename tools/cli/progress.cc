#include "tools/cli/progress.h"

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "absl/strings/str_format.h"

#include "tools/cli/figures.h"

namespace rumcask::cli {

Progress::Progress(std::string_view label, uint64_t total)
    : label_(label),
      total_(total),
      enabled_(::isatty(STDERR_FILENO) == 1),
      begin_(Clock::now()),
      next_(begin_ + std::chrono::seconds(1)) {}

Progress::~Progress() { Erase(); }

void Progress::Erase() {
  if (!shown_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  shown_ = false;
}

void Progress::Show(uint64_t records, uint64_t done) {
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::milliseconds(200);
  const std::chrono::duration<double> elapsed = now - begin_;
  const std::string line = ProgressLine(label_, records, done, total_, elapsed.count());
  std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
  std::fflush(stderr);
  shown_ = true;
}

std::string ProgressLine(std::string_view label, uint64_t records, uint64_t done, uint64_t total,
                         double seconds) {
  std::string line = absl::StrFormat("%s: %s", label, FormatCount(records, "record"));
  if (total == 0 || done == 0 || done > total) return line;
  const double left = seconds * static_cast<double>(total - done) / static_cast<double>(done);
  absl::StrAppendFormat(&line, ", %s, %s left", FormatShare(done, total),
                        FormatSeconds(static_cast<uint64_t>(std::llround(left))));
  return line;
}

}  // namespace rumcask::cli
