#include "core/system/random.h"

#include <sys/random.h>

#include <cerrno>

#include "core/system/file_system.h"

namespace rumcask {

absl::Status RandomBytes(void* to, size_t size) {
  // Up to 256 bytes come in one piece; only the wait for the first entropy can be interrupted.
  ssize_t got;
  do {
    got = ::getrandom(to, size, 0);
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(size)) return absl::OkStatus();
  return ErrnoStatus("getrandom", "", errno);
}

}  // namespace rumcask
