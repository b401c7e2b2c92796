#include <vector>

#include "tools/bench/leveldb_engine.h"
#include "tools/bench/lmdb_engine.h"
#include "tools/bench/rocksdb_engine.h"
#include "tools/bench/tested_engines.h"

namespace rumcask::bench {

std::vector<EngineType> TestedEngines() {
  return {RocksDbEngine(), RocksDbBlobEngine(), LevelDbEngine(), LmdbEngine()};
}

}  // namespace rumcask::bench
