// `rumcask bench`, and the programs that do only that.

#ifndef RUMCASK_TOOLS_BENCH_BENCH_COMMAND_H_
#define RUMCASK_TOOLS_BENCH_BENCH_COMMAND_H_

#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/engine.h"

namespace rumcask::bench {

// In addition to the exit codes of the rumcask tool: 0 done, 1 error, 64 wrong usage.
inline constexpr int kExitRegression = 5;

// `arguments` is what follows `program` on the command line. `peers` are other stores that may be
// requested by name. Returns the exit code.
int RunBench(std::string_view program, const std::vector<std::string>& arguments,
             const std::vector<EngineType>& peers);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_BENCH_COMMAND_H_
