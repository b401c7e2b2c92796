// What is done while calls fail.

#ifndef RUMCASK_TESTS_ERRORS_ERROR_WORKLOADS_H_
#define RUMCASK_TESTS_ERRORS_ERROR_WORKLOADS_H_

#include <functional>
#include <vector>

#include "tests/errors/error_run.h"

namespace rumcask {

struct ErrorWorkload {
  const char* name;
  // What is on the disk before; runs without errors. May be empty.
  std::function<void(ErrorRun&)> prepare;
  bool prepared_by_kill;  // or by a clean close
  std::function<void(ErrorRun&)> run;
  bool hash;
  int background_threads;
  // Whether a bounded enumeration goes on after its errors: it writes, and no other does the same.
  bool goes_on;
};

std::vector<ErrorWorkload> ErrorWorkloads();

}  // namespace rumcask

#endif  // RUMCASK_TESTS_ERRORS_ERROR_WORKLOADS_H_
