// RocksDB, with values in its tables or in blob files.

#ifndef RUMCASK_TOOLS_BENCH_ROCKSDB_ENGINE_H_
#define RUMCASK_TOOLS_BENCH_ROCKSDB_ENGINE_H_

#include "tools/bench/engine.h"

namespace rumcask::bench {

EngineType RocksDbEngine();
// BlobDB: RocksDB with keys in its tables and values in separate files.
EngineType RocksDbBlobEngine();

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_ROCKSDB_ENGINE_H_
