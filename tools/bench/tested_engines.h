// The stores that engines_test.cc tests.

#ifndef RUMCASK_TOOLS_BENCH_TESTED_ENGINES_H_
#define RUMCASK_TOOLS_BENCH_TESTED_ENGINES_H_

#include <vector>

#include "tools/bench/engine.h"

namespace rumcask::bench {

std::vector<EngineType> TestedEngines();

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_TESTED_ENGINES_H_
