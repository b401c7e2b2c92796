// An ordered keystore in memory. Public.
//
//   options.keystore = rumcask::BtreeKeystore();
//
// Keeps each key in B-trees (absl::btree_map) with the 8-byte location and the number of its
// record. Iterates in bytewise order of the keys, in both directions, with seeks and ranges. An
// entry costs about 80 bytes of memory, and a key of more than 15 bytes costs its own length in
// addition. Opening rebuilds the trees from the log's key tables. Databases made with `hash` can be
// opened with `btree` and the reverse.
//
// The keys are cut into parts of up to 512, each with its own lock, so readers wait for the writer
// only if they meet in one part or if a part is being split or removed. If many cores do nothing
// but point reads, `hash` is faster.

#ifndef RUMCASK_KEYSTORES_BTREE_BTREE_KEYSTORE_H_
#define RUMCASK_KEYSTORES_BTREE_BTREE_KEYSTORE_H_

#include "rumcask/require_cxx17.h"

#include "rumcask/keystore_factory.h"

namespace rumcask {

// Makes this keystore; for Options::keystore.
KeystoreFactory BtreeKeystore();

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_BTREE_BTREE_KEYSTORE_H_
