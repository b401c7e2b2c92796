// The benchmark tool without other stores' libraries.

#include <string>
#include <vector>

#include "tools/bench/bench_command.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return rumcask::bench::RunBench("rumcask_bench", arguments, {});
}
