// Work in a process of its own.

#ifndef RUMCASK_TOOLS_BENCH_CHILD_PROCESS_H_
#define RUMCASK_TOOLS_BENCH_CHILD_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace rumcask::bench {

// Made now, while this process has one thread, to work later, when it may have many: a child made
// then would lack all but one, and could hang for it.
class WaitingChild {
 public:
  static absl::StatusOr<std::unique_ptr<WaitingChild>> Make(
      const std::function<std::string()>& work);
  // Ends it if it has not worked.
  ~WaitingChild();
  WaitingChild(const WaitingChild&) = delete;
  WaitingChild& operator=(const WaitingChild&) = delete;

  // Lets it work, once, and returns what `work` returned there. Nothing that `work` left open is
  // closed: the process just ends. If it dies that is an Internal error that names the signal.
  absl::StatusOr<std::string> Run();

 private:
  WaitingChild(pid_t pid, int go, int result) : pid_(pid), go_(go), result_(result) {}

  pid_t pid_;  // 0: has ended
  const int go_;
  const int result_;
};

// Returns what `work`, called in a child of this process, returned. So memory, CPU time and bytes
// written are those of one store alone, whatever ran before, and if it dies the others go on: that
// is an Internal error that names the signal. This process must have one thread.
absl::StatusOr<std::string> RunInChild(const std::function<std::string()>& work);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_CHILD_PROCESS_H_
