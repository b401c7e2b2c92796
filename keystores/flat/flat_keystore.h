// A keystore in memory that keeps the keys themselves. Public.
//
//   options.keystore = rumcask::FlatKeystore();
//
// absl::flat_hash_map from each key to the 8-byte location of its record, in 4,096 shards. As it
// has the whole key there are no odds of a collision, which `hash` must state. It is the plainest
// of the keystores: whoever writes one for memory finds the pattern here.
//
// Memory: a slot of the map has 13 bytes, and between 7/16 and 7/8 of the slots are in use. The
// sizes of shards are spread over an octave, so that they do not all double at once: on average
// that is 21 bytes a key at any number of keys. The key's bytes come with one for their length
// (three from 255 on) and up to an eighth of room to grow, on average a sixteenth: 24 bytes beside
// the key for keys of 16 bytes, and some 3 more that malloc loses. What deleted keys leave is
// reclaimed when it is half of a shard's bytes, and the shard's map is made smaller when it is
// nearly empty.
//
// Unordered: asking an iterator for order is Unimplemented. Any number of readers run beside the
// writer; two calls wait for each other only if they meet in one shard. Opening rebuilds the map
// from the log's key tables. Databases made with other keystores in memory can be opened with it
// and the reverse.

#ifndef RUMCASK_KEYSTORES_FLAT_FLAT_KEYSTORE_H_
#define RUMCASK_KEYSTORES_FLAT_FLAT_KEYSTORE_H_

#include "rumcask/require_cxx17.h"

#include "rumcask/keystore_factory.h"

namespace rumcask {

// Makes this keystore; for Options::keystore.
KeystoreFactory FlatKeystore();

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_FLAT_FLAT_KEYSTORE_H_
