// Fills an in-memory keystore from the log.

#ifndef RUMCASK_CORE_INDEX_LOADER_H_
#define RUMCASK_CORE_INDEX_LOADER_H_

#include <vector>

#include "absl/status/status.h"

#include "core/damage.h"
#include "core/file_system.h"
#include "core/keystore.h"
#include "core/segment_set.h"

namespace rumcask {

// Offers every record of the log to the keystore, from key tables where they are whole and by
// reading the segment where not, several segments at a time. Sets the segments' live bytes.
//
// A record that cannot be read is no obstacle as long as a key table tells its key. Where none
// does, the damage is an error naming file and offset - or, with `tolerate`, is added to `*damages`
// and what verifies beyond it is taken.
absl::Status LoadIndex(Directory* directory, SegmentSet* segments, Keystore* keystore,
                       bool tolerate, std::vector<Damage>* damages);

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_LOADER_H_
