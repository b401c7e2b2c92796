// The workloads that run while calls fail.

#ifndef RUMCASK_TESTS_ERRORS_ERROR_WORKLOADS_H_
#define RUMCASK_TESTS_ERRORS_ERROR_WORKLOADS_H_

#include <functional>
#include <vector>

#include "tests/errors/error_run.h"

namespace rumcask {

struct ErrorWorkload {
  const char* name;
  // Makes the database that `run` starts with; nothing fails meanwhile. May be empty.
  std::function<void(ErrorRun&)> prepare;
  bool prepared_by_kill;  // whether the preparation ends by a kill or by a clean close
  std::function<void(ErrorRun&)> run;
  bool hash;
  int background_threads;
  // Whether a bounded enumeration continues after its errors: true for workloads that write and
  // that no other one resembles.
  bool goes_on;
};

std::vector<ErrorWorkload> ErrorWorkloads();

}  // namespace rumcask

#endif  // RUMCASK_TESTS_ERRORS_ERROR_WORKLOADS_H_
