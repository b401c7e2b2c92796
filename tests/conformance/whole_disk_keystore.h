// A BufferedIndex over an index on disk, as a keystore that can run the tests of all keystores.

#ifndef RUMCASK_TESTS_CONFORMANCE_WHOLE_DISK_KEYSTORE_H_
#define RUMCASK_TESTS_CONFORMANCE_WHOLE_DISK_KEYSTORE_H_

#include "core/plugin/keystore.h"

namespace rumcask {

// Wraps the index of `on_disk` as if it were a keystore in memory, together with the log that it
// needs. Does with the BufferedIndex what DB does: reads before it writes, so that it can return
// what was there; freezes buffers; and applies them to the index, in the background or on the
// writer's thread. Locations may be in slots below 20,000.
KeystoreFactory WholeDiskKeystore(const KeystoreFactory& on_disk, bool background);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CONFORMANCE_WHOLE_DISK_KEYSTORE_H_
