// A BufferedIndex over an index, as a keystore that can be put to the tests of all keystores.

#ifndef RUMCASK_TESTS_CONFORMANCE_WHOLE_DISK_KEYSTORE_H_
#define RUMCASK_TESTS_CONFORMANCE_WHOLE_DISK_KEYSTORE_H_

#include "core/plugin/keystore.h"

namespace rumcask {

// Around the index of `on_disk` a keystore as if it were in memory, with the log that it needs. It
// does with the BufferedIndex what DB does: looks before it writes, so that it can tell what was
// there; freezes; brings buffers to the index, in the background or by the writer. Locations may be
// in slots below 20,000.
KeystoreFactory WholeDiskKeystore(const KeystoreFactory& on_disk, bool background);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CONFORMANCE_WHOLE_DISK_KEYSTORE_H_
