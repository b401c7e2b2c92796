// An ordered keystore in memory. Public.
//
//   options.keystore = rumcask::BtreeKeystore();
//
// An absl::btree_map from each key to the 8-byte location and the number of its record: iteration
// in bytewise order of the keys, both ways, with seeks and ranges. An entry costs about 80 bytes of
// memory beside a key of more than 15 bytes itself; shorter keys cost nothing extra. Opening
// rebuilds the tree from the log's key tables. Databases made with `hash` can be opened with it
// and the reverse.
//
// Readers share one lock and a writer excludes them for the time of one insertion: where many
// cores do nothing but point reads, `hash` is faster.

#ifndef RUMCASK_KEYSTORES_BTREE_BTREE_KEYSTORE_H_
#define RUMCASK_KEYSTORES_BTREE_BTREE_KEYSTORE_H_

#include "rumcask/require_cxx17.h"

#include "rumcask/keystore_factory.h"

namespace rumcask {

KeystoreFactory BtreeKeystore();

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_BTREE_BTREE_KEYSTORE_H_
