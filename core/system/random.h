// Random bytes from the operating system.

#ifndef RUMCASK_CORE_SYSTEM_RANDOM_H_
#define RUMCASK_CORE_SYSTEM_RANDOM_H_

#include <cstddef>

#include "absl/status/status.h"

namespace rumcask {

// Fills `size` bytes, at most 256, from the system's generator, which nobody can predict. Waits
// while the system has just been started and has no entropy yet. Thread-safe.
absl::Status RandomBytes(void* to, size_t size);

}  // namespace rumcask

#endif  // RUMCASK_CORE_SYSTEM_RANDOM_H_
