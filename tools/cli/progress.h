// Shows on the terminal how far a long command has got.

#ifndef RUMCASK_TOOLS_CLI_PROGRESS_H_
#define RUMCASK_TOOLS_CLI_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace rumcask::cli {

// "load: 1,200,000 records, 40.0 %, 0:12 left". The line is shown on stderr only if that is a
// terminal. It appears a second after the beginning, is updated a few times a second, and is erased
// at the end.
class Progress {
 public:
  // `total` is the value that `done` will have at the end; 0 if it is not known.
  Progress(std::string_view label, uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Cheap enough to be called for each record.
  void Update(uint64_t records, uint64_t done) {
    if (enabled_ && ++calls_ % 64 == 0) Show(records, done);
  }

  // The same for steps that take long each.
  void Now(uint64_t records, uint64_t done) {
    if (enabled_) Show(records, done);
  }

  // Removes the line until the next Update, so that something else can be printed.
  void Erase();

 private:
  using Clock = std::chrono::steady_clock;

  void Show(uint64_t records, uint64_t done);

  const std::string label_;
  const uint64_t total_;
  const bool enabled_;
  const Clock::time_point begin_;
  Clock::time_point next_;
  uint64_t calls_ = 0;
  bool shown_ = false;
};

// The text of the line after `seconds`.
std::string ProgressLine(std::string_view label, uint64_t records, uint64_t done, uint64_t total,
                         double seconds);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_PROGRESS_H_
