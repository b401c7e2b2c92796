// What the hardware and this program allow, to hold stores against.

#ifndef RUMCASK_TOOLS_BENCH_YARDSTICKS_H_
#define RUMCASK_TOOLS_BENCH_YARDSTICKS_H_

#include "tools/bench/engine.h"

namespace rumcask::bench {

// "yardstick": a table of digests over a log of checksummed records in mapped files, in the page
// cache when put returns. It reads and writes what any store of this kind must read and write and
// does nothing else: no recovery, no locks, no protection against collisions. One thread writes, or
// several read.
EngineType YardstickEngine();

// "nothing": stores nothing and finds everything, so that its figures are the costs of making keys,
// values and measurements.
EngineType NothingEngine();

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_YARDSTICKS_H_
