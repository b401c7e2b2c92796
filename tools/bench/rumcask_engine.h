// rumcask itself.

#ifndef RUMCASK_TOOLS_BENCH_RUMCASK_ENGINE_H_
#define RUMCASK_TOOLS_BENCH_RUMCASK_ENGINE_H_

#include "core/keystore.h"
#include "tools/bench/engine.h"

namespace rumcask::bench {

// With the given keystore, whose name it has.
EngineType RumcaskEngine(const KeystoreFactory& keystore);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_RUMCASK_ENGINE_H_
