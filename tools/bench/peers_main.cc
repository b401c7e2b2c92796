// The benchmark tool with other stores to compare with.

#include <string>
#include <vector>

#include "tools/bench/bench_command.h"
#include "tools/bench/leveldb_engine.h"
#include "tools/bench/lmdb_engine.h"
#include "tools/bench/rocksdb_engine.h"

int main(int argc, char** argv) {
  using namespace rumcask::bench;  // NOLINT: for the list
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return RunBench("peers", arguments,
                  {RocksDbEngine(), RocksDbBlobEngine(), LevelDbEngine(), LmdbEngine()});
}
