// Work in a process of its own.

#ifndef RUMCASK_TOOLS_BENCH_CHILD_PROCESS_H_
#define RUMCASK_TOOLS_BENCH_CHILD_PROCESS_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace rumcask::bench {

// Returns what `work`, called in a child of this process, returned. So memory, CPU time and bytes
// written are those of one store alone, whatever ran before, and if it dies the others go on: that
// is an Internal error that names the signal. This process must have one thread.
absl::StatusOr<std::string> RunInChild(const std::function<std::string()>& work);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_CHILD_PROCESS_H_
