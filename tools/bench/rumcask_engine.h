// rumcask itself.

#ifndef RUMCASK_TOOLS_BENCH_RUMCASK_ENGINE_H_
#define RUMCASK_TOOLS_BENCH_RUMCASK_ENGINE_H_

#include "core/plugin/keystore.h"
#include "tools/bench/engine.h"

namespace rumcask::bench {

// With the given keystore, whose name it has; but with one on disk it is called rumcask_NAME, since
// the library below is a store of its own that holds the values as well: `lmdb` is LMDB.
EngineType RumcaskEngine(const KeystoreFactory& keystore);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_RUMCASK_ENGINE_H_
