// The default keystore: a hash table in memory. Public.
//
//   options.keystore = rumcask::HashKeystore();
//
// Keys are not stored. The table maps a 128-bit digest of the key to the 8-byte location of its
// record, so that an entry costs about 35 bytes of memory whatever the length of the key. Opening
// rebuilds the table from the log's key tables.
//
// 96 bits of the digest are stored, and at least 12 more choose the shard. The digest is SipHash
// under a secret that is drawn anew for each opening, so nobody can prepare keys that collide.
// Among n keys the odds that any two collide are below n^2 / 2^109, which is less than 1e-14 for
// 10^9 keys. If it happens, reading the older key is DataLoss; the next opening, which has another
// secret, brings the key back, unless compaction has dropped its record, to which nothing points. A
// read never returns the other key's value, because it compares the key in the record.
//
// Unordered: NewIterator with IteratorOptions::ordered is Unimplemented. Any number of readers run
// beside the writer. Two calls wait for each other only if they meet in one of 4,096 shards.

#ifndef RUMCASK_KEYSTORES_HASH_HASH_KEYSTORE_H_
#define RUMCASK_KEYSTORES_HASH_HASH_KEYSTORE_H_

#include "rumcask/require_cxx17.h"

#include "rumcask/keystore_factory.h"

namespace rumcask {

// Makes this keystore; for Options::keystore.
KeystoreFactory HashKeystore();

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_HASH_HASH_KEYSTORE_H_
