// Runs work in a separate process.

#ifndef RUMCASK_TOOLS_BENCH_CHILD_PROCESS_H_
#define RUMCASK_TOOLS_BENCH_CHILD_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace rumcask::bench {

// A child process that is made now, while this process has one thread, and works later, when this
// process may have many. A child made then would have only one of those threads and could hang
// because of that.
class WaitingChild {
 public:
  static absl::StatusOr<std::unique_ptr<WaitingChild>> Make(
      const std::function<std::string()>& work);
  // Ends the child if it has not worked.
  ~WaitingChild();
  WaitingChild(const WaitingChild&) = delete;
  WaitingChild& operator=(const WaitingChild&) = delete;

  // Lets it work, once, and returns the result of `work`. What `work` left open is not closed; the
  // process just ends. If the process dies, returns an Internal error that names the signal. `stop`
  // is asked several times a second, unless it is null; once it is true, the process is killed, and
  // the result is Cancelled.
  absl::StatusOr<std::string> Run(const std::function<bool()>& stop = nullptr);

 private:
  WaitingChild(pid_t pid, int go, int result) : pid_(pid), go_(go), result_(result) {}

  pid_t pid_;  // 0 once it has ended
  const int go_;
  const int result_;
};

// Calls `work` in a child of this process and returns its result. So memory, CPU time and bytes
// written are those of a single store, whatever ran before, and if the child dies, the other stores
// can still be measured. A death is an Internal error that names the signal. `stop` is that of
// WaitingChild::Run. This process must have one thread.
absl::StatusOr<std::string> RunInChild(const std::function<std::string()>& work,
                                       const std::function<bool()>& stop = nullptr);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_CHILD_PROCESS_H_
