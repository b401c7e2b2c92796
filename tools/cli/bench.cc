#include <string>
#include <vector>

#include "tools/bench/bench_command.h"
#include "tools/cli/commands.h"

namespace rumcask::cli {

int RunBench(const std::vector<std::string>& arguments) {
  return bench::RunBench("rumcask bench", arguments, /*peers=*/{});
}

}  // namespace rumcask::cli
