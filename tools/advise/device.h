// The device on which a database is to be.

#ifndef RUMCASK_TOOLS_ADVISE_DEVICE_H_
#define RUMCASK_TOOLS_ADVISE_DEVICE_H_

#include <string>

#include "absl/status/statusor.h"

namespace rumcask::advise {

// Bytes per second that the device of the directory takes when a file is written there in order.
// Writes such a file, syncs it, and removes it.
absl::StatusOr<double> WriteSpeed(const std::string& directory);

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_DEVICE_H_
