// A keystore of one's own, as small as one can be: keystores/README.md goes through it.
//
// Its index is two std::maps and a file. Flush writes the whole file anew, so it is one for some
// hundred thousand keys; but it keeps every promise of rumcask/disk_index.h.

#ifndef RUMCASK_TESTS_EXAMPLE_KEYSTORE_FILE_KEYSTORE_H_
#define RUMCASK_TESTS_EXAMPLE_KEYSTORE_FILE_KEYSTORE_H_

#include "rumcask/keystore_factory.h"

namespace example {

rumcask::KeystoreFactory FileKeystore();

}  // namespace example

#endif  // RUMCASK_TESTS_EXAMPLE_KEYSTORE_FILE_KEYSTORE_H_
