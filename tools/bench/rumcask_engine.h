// rumcask itself.

#ifndef RUMCASK_TOOLS_BENCH_RUMCASK_ENGINE_H_
#define RUMCASK_TOOLS_BENCH_RUMCASK_ENGINE_H_

#include "core/plugin/keystore.h"
#include "tools/bench/engine.h"

namespace rumcask::bench {

// rumcask with the given keystore, under the keystore's name. With a keystore on disk it is called
// rumcask_NAME, because the library itself is a separate store that holds the values as well:
// `lmdb` is LMDB.
EngineType RumcaskEngine(const KeystoreFactory& keystore);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_RUMCASK_ENGINE_H_
