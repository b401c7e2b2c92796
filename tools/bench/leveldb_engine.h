// LevelDB.

#ifndef RUMCASK_TOOLS_BENCH_LEVELDB_ENGINE_H_
#define RUMCASK_TOOLS_BENCH_LEVELDB_ENGINE_H_

#include "tools/bench/engine.h"

namespace rumcask::bench {

EngineType LevelDbEngine();

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_LEVELDB_ENGINE_H_
