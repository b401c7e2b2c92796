// What the hardware and this program allow, for comparison with stores.

#ifndef RUMCASK_TOOLS_BENCH_YARDSTICKS_H_
#define RUMCASK_TOOLS_BENCH_YARDSTICKS_H_

#include "tools/bench/engine.h"

namespace rumcask::bench {

// "yardstick": a table of digests over a log of checksummed records in mapped files, which are in
// the page cache when put returns. It reads and writes what any store of this kind must read and
// write, and does nothing else: it has no recovery, no locks and no protection against collisions.
// Either one thread writes or several read.
EngineType YardstickEngine();

// "nothing": stores nothing and finds everything, so its figures are the cost of making keys and
// values and of measuring.
EngineType NothingEngine();

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_YARDSTICKS_H_
