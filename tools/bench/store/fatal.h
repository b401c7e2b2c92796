// Ends a benchmark that fails with a message, because it has no result.

#ifndef RUMCASK_TOOLS_BENCH_STORE_FATAL_H_
#define RUMCASK_TOOLS_BENCH_STORE_FATAL_H_

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rumcask::bench {

[[noreturn]] inline void Die(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  std::exit(1);
}

// For system calls; the message includes errno.
inline void DieIf(bool failed, const char* what) {
  if (failed) Die(std::string(what) + ": " + std::strerror(errno));
}

inline void OrDie(const absl::Status& status) {
  if (!status.ok()) Die(status.ToString());
}

template <typename T>
T OrDie(absl::StatusOr<T> result) {
  OrDie(result.status());
  return *std::move(result);
}

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_STORE_FATAL_H_
